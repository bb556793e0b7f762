"""Filling in what a follow-up leaves out, from the conversation before it. No model: words only.

What is filled in stands behind the question in brackets, where the retriever counts it half. The numbers are round
ones from flat optima on mtrag-un and mtrag-human-subset.
"""

from collections import defaultdict
from collections.abc import Mapping

from rag.answering.lexicon import patterns
from rag.answering.types import History, Turn
from rag.retrieval.lexical import LexicalIndex, words

_PATTERNS = patterns("followup")
_FEW_WORDS = 2  # telling ones; a fragment of more stands alone
_SHARED = 0.3  # of a question's words, by idf: with so much of the conversation it goes on with it
_FILLED_IN = 4  # words; twice as many where a question leans
_RARE = 5.0  # idf of a word in one of 150 passages; a rarer one tells no more of what a conversation is about
_MAX_TURNS, _MAX_TURN_CHARS = 6, 1000


def turns_of(history: History) -> tuple[Turn, ...]:
    """The conversation, each turn checked to be one."""
    turns = tuple(history or ())
    for turn in turns:
        if not isinstance(turn, Mapping) or turn.get("role") not in ("user", "assistant"):
            raise ValueError(f"a turn of the history needs a role, user or assistant, and content; found {turn!r}")
        if not isinstance(turn.get("content"), str):
            raise ValueError(f"the content of a turn must be text; found {turn.get('content')!r}")
    return turns


def condense(question: str, history: History, lexical: LexicalIndex) -> str:
    """The question as it can be searched: "How many teams? [rugby league]", and as it is where it stands alone."""
    turns = [Turn(role=turn["role"], content=turn["content"][:_MAX_TURN_CHARS]) for turn in history[-_MAX_TURNS:]]
    last = ""
    for text in (turn["content"] for turn in turns if turn["role"] == "user"):
        last = _instead(text, last) or (text if words(text) else last)
    leans = _leans(question[:_MAX_TURN_CHARS])
    if whole := _instead(question, last):
        return whole
    if not turns or not (leans or _goes_on(question, turns, lexical)):
        return question
    own = f"{last} {question}" if last and not words(question) else question
    told = _telling(own, turns, lexical)[: _FILLED_IN * (1 + leans)]
    return f"{own} [{' '.join(told)}]" if told else own


def _instead(question: str, last: str) -> str:
    """For "And DingTalk?" the last question, asked about DingTalk; "" for other questions."""
    new, old = _PATTERNS["instead"].fullmatch(question), _PATTERNS["names"].search(last)
    return last[: old.start()] + new[1] + last[old.end() :] if new and old else ""


def _leans(text: str) -> bool:
    """Whether a question cannot be understood alone: "Why?", "And DingTalk?", "What does he manage?"."""
    if _PATTERNS["points_back"].search(_PATTERNS["own"].sub(r"\1", _PATTERNS["clause"].sub(r"\1", text))):
        return True
    telling = len(set(words(text)))
    is_fragment = bool(_PATTERNS["opener"].match(text)) or not _PATTERNS["asks"].search(text)
    return telling == 0 or (is_fragment and telling <= _FEW_WORDS)


def _goes_on(question: str, turns: History, lexical: LexicalIndex) -> bool:
    """Whether a question, itself without a name, is about what was spoken of."""
    if _PATTERNS["names"].search(question):
        return False
    told = set(words(" ".join(turn["content"] for turn in turns)))
    idf = {word: lexical.idf(word) for word in words(question)}
    return sum(idf[word] for word in idf if word in told) >= _SHARED * sum(idf.values())


def _telling(question: str, turns: History, lexical: LexicalIndex) -> list[str]:
    """Words that the question does not hold, those that tell most of the conversation first; each round counts half."""
    own, weights, forms, share = set(words(question)), defaultdict[str, float](float), dict[str, str](), 1.0
    for turn in reversed(turns):
        found = _forms(turn["content"])
        for word, form in found.items():
            if word not in own and lexical.knows(form):
                weights[word] += min(lexical.idf(word), _RARE) * share
        forms = found | forms
        share = share / 2 if turn["role"] == "user" else share
    return [forms[word] for word in sorted(weights, key=lambda word: -weights[word])]


def _forms(text: str) -> dict[str, str]:
    """The words of a text, and how each is written there."""
    found = [(form, words(form)) for form in _PATTERNS["form"].findall(text)]
    return {stem: form if len(stems) == 1 else stem for form, stems in found for stem in stems}
