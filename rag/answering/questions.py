"""Questions made from sentences by the patterns of questions.toml: English only, and rather none than a clumsy one."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice

from rag.answering.lexicon import patterns, texts
from rag.answering.types import Evidence
from rag.retrieval.language import ENGLISH, language_of
from rag.retrieval.lexical import forms_of, words
from rag.retrieval.types import Hit

_MAX_WORDS = 14  # a longer question is no example
_AROUND = 20_000  # characters before and behind, where it is looked up how a word is written
_patterns = cache(lambda: patterns("made", "questions"))  # when they are needed: they take a while to compile


def questions(hit: Hit, text: str) -> Iterator[tuple[str, Evidence]]:
    """A question for each sentence that gives one, and the sentence; `text` is the whole document's."""
    around, made = text[max(0, hit.start - _AROUND) : hit.end + _AROUND], _patterns()
    for span in hit.sentences if language_of(forms_of(hit.text)) == ENGLISH else ():
        sentence = " ".join(hit.quote(span).split())
        starts = () if made["unsure"].search(sentence) else (0, *(m.end() for m in made["start"].finditer(sentence)))
        kinds = ((template, kind, at) for at in starts for kind, template in texts("asked", "questions").items())
        found = ((template, made[kind].match(sentence, at)) for template, kind, at in kinds)
        asked = (_filled(template, match, hit.title, around) for template, match in found if match)
        yield from ((question, Evidence(hit, span)) for question in islice(filter(None, asked), 1))


def _filled(template: str, match: re.Match[str], title: str, around: str) -> str:
    """The question; "" for one that is not clear on its own."""
    made, parts = _patterns(), match.groupdict()
    found = {name: part if name == "state" else made["loose"].sub("", part) for name, part in parts.items()}
    verbs = texts("does", "questions") | texts("did", "questions")
    found["aux"], _, found["base"] = verbs.get(found.get("verb", "").lower(), "").partition(" ")
    if "subject" in found and match.start("subject") == 0:
        found["subject"] = _within(found["subject"], around)
    question = template.format_map(found)
    about = found.get("subject") or found.get("object")
    told = made["behind"].split(about)[0] if about else question[1:]
    named = re.search("[A-Z]|^[0-9]+$", told) or set(words(told)) & set(words(title))
    return question if named and "  " not in question and len(question.split()) <= _MAX_WORDS else ""


def _within(subject: str, around: str) -> str:
    """What a sentence begins with as it is written within one; "" where that cannot be told."""
    first, gap, rest = subject.partition(" ")
    common = re.search(rf"\b{re.escape(first.lower())}\b", around) and first[1:].islower()
    named = re.search(rf"[a-z,] {re.escape(first)}\b", around) or not first[1:].islower()
    if first in ("The", "A", "An") or (common and not named and not rest[:1].isupper()):
        return f"{first.lower()}{gap}{rest}"
    return subject if rest[:1].isupper() or (named and not common) else ""
