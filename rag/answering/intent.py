"""What a message means: of which kind it is, what kind of value it asks for, and what a follow-up leaves out.

No model: words only. What is filled in from the conversation stands behind the question in brackets, where the
retriever counts it half. The numbers for it are round ones from flat optima on mtrag-un and mtrag-human-subset.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Set
from typing import Literal, get_args

from rag.answering.lexicon import patterns, word_set
from rag.answering.types import History, Turn
from rag.retrieval.lexical import LexicalIndex, words
from rag.tuned import tuned

Intent = Literal["greeting", "thanks", "system", "overview", "fact"]

_PATTERNS = patterns("intent")
_OF_PARTS = [pattern for name, pattern in _PATTERNS.items() if name.startswith("part_")]

_KINDS = patterns("expected")
_NUMBER_WORDS, _DATE_WORDS = word_set("number"), word_set("date")

_FOLLOWUP = patterns("followup")
_TUNED = tuned("intent")


def visible(message: str) -> str:
    """A message without what cannot be seen or printed, its words one space apart."""
    return " ".join(_PATTERNS["unseen"].sub("", _PATTERNS["escape"].sub("", message)).split())


def intent_of(message: str, begun: bool = False) -> Intent:
    """The kind of a message, a fact unless it is clearly another; once it has `begun`, "it" may be what was said."""
    plain = unicodedata.normalize("NFKC", message).replace("\u2019", "'").lower()
    plain = " ".join(_PATTERNS["punctuation"].sub(" ", plain).split())
    if begun and _PATTERNS["leans_back"].search(plain):
        return "fact"
    return next((kind for kind in get_args(Intent) if kind != "fact" and _PATTERNS[kind].fullmatch(plain)), "fact")


def sides_of(message: str) -> tuple[str, ...]:
    """The two that a message asks to compare, or the one that it asks to be told of; () for other messages."""
    found = (pattern.fullmatch(message.strip(" ?!.\u3002\uff1f")) for pattern in _OF_PARTS)
    sides = next((match.groups() for match in found if match), ())
    bare = tuple(side.strip(" \"'\u2018\u2019\u201c\u201d") for side in sides)
    return bare if all(words(side) for side in bare) else ()


def expected(question: str) -> str | None:
    """The kind of value that is asked for: number, date or name; None when the wording does not tell."""
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(question)), None)


def offers(kind: str | None, sentence: str, known: Set[str]) -> float:
    """1.0 when the sentence holds a value of this kind beyond the `known` words of the question; 0.5 for no kind."""
    if kind is None:
        return 0.5
    if kind == "name":
        return float(any(set(words(name)) - known for name in _PATTERNS["proper"].findall(sentence)))
    new = [token.lower() for token in _PATTERNS["token"].findall(sentence) if not set(words(token)) & known]
    if kind == "number":
        return float(any(token[0].isdigit() or token in _NUMBER_WORDS for token in new))
    return float(any(token in _DATE_WORDS or _PATTERNS["year"].fullmatch(token) for token in new))


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
    few, short = history[-_TUNED.max_turns :], slice(_TUNED.max_turn_chars)
    turns = [Turn(role=turn["role"], content=turn["content"][short]) for turn in few]
    last = ""
    for text in (turn["content"] for turn in turns if turn["role"] == "user"):
        last = _instead(text, last) or (text if words(text) else last)
    leans = _leans(question[short])
    if whole := _instead(question, last):
        return whole
    if not turns or not (leans or _goes_on(question, turns, lexical)):
        return question
    own = f"{last} {question}" if last and not words(question) else question
    told = _telling(own, turns, lexical)[: _TUNED.filled_in * (1 + leans)]
    return f"{own} [{' '.join(told)}]" if told else own


def _instead(question: str, last: str) -> str:
    """For "And DingTalk?" the last question, asked about DingTalk; "" for other questions."""
    new, old = _FOLLOWUP["instead"].fullmatch(question), _FOLLOWUP["names"].search(last)
    return last[: old.start()] + new[1] + last[old.end() :] if new and old else ""


def _leans(text: str) -> bool:
    """Whether a question cannot be understood alone: "Why?", "And DingTalk?", "What does he manage?"."""
    if _FOLLOWUP["points_back"].search(_FOLLOWUP["own"].sub(r"\1", _FOLLOWUP["clause"].sub(r"\1", text))):
        return True
    telling = len(set(words(text)))
    is_fragment = bool(_FOLLOWUP["opener"].match(text)) or not _FOLLOWUP["asks"].search(text)
    return telling == 0 or (is_fragment and telling <= _TUNED.few_words)


def _goes_on(question: str, turns: History, lexical: LexicalIndex) -> bool:
    """Whether a question, itself without a name, is about what was spoken of."""
    if _FOLLOWUP["names"].search(question):
        return False
    told = set(words(" ".join(turn["content"] for turn in turns)))
    idf = {word: lexical.idf(word) for word in words(question)}
    return bool(sum(idf[word] for word in idf if word in told) >= _TUNED.shared * sum(idf.values()))


def _telling(question: str, turns: History, lexical: LexicalIndex) -> list[str]:
    """Words that the question does not hold, those that tell most of the conversation first; each round counts half."""
    own, weights, forms, share = set(words(question)), defaultdict[str, float](float), dict[str, str](), 1.0
    for turn in reversed(turns):
        found = _forms(turn["content"])
        for word, form in found.items():
            if word not in own and lexical.knows(form):
                weights[word] += min(lexical.idf(word), _TUNED.rare) * share
        forms = found | forms
        share = share / 2 if turn["role"] == "user" else share
    return [forms[word] for word in sorted(weights, key=lambda word: -weights[word])]


def _forms(text: str) -> dict[str, str]:
    """The words of a text, and how each is written there."""
    found = [(form, words(form)) for form in _FOLLOWUP["form"].findall(text)]
    return {stem: form if len(stems) == 1 else stem for form, stems in found for stem in stems}
