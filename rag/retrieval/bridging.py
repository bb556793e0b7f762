"""From fused scores to new ones: what the question names, and what a found passage names, comes forward.

A question may need two places: "Who is the mother of the director of Blue River?" finds the film, which names the
director, whose page has the answer. No model is asked: a name is a run of capitalised words, it leads to the passages
that hold all its words, and these gain by how few they are, by whether it is their title, and by how much they say
of the question that the naming passage does not. Knows positions and words, nothing of vectors.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rag.documents.types import Passage
from rag.retrieval.language import bare
from rag.retrieval.lexical import LexicalIndex, plain, words
from rag.retrieval.types import Mask
from rag.tuned import tuned

_TUNED = tuned("bridging")

_CAPITALISED = r"[^\W\d_a-z](?:(?:\w?\.)+|[\w'\u2019-]*)"  # a point belongs to initials and to short words: "St."
_SMALL = r"(?:(?:of|the|de|von|van|der|la|le|du|al|bin|del|da|di) ){0,2}"
_NAME = re.compile(rf"{_CAPITALISED}(?:[ -]{_SMALL}(?:{_CAPITALISED}|\d+\b))*")
_WORD = re.compile(r"[^\W_]+")
_BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")


class Bridged(NamedTuple):
    """A passage's new score, and the position of the passage that names it and brought it forward, if one did."""

    score: float
    source: int | None


def bridge(
    query: str, fused: Mapping[int, float], passages: Sequence[Passage], lexical: LexicalIndex, allowed: Mask
) -> dict[int, Bridged]:
    """The passages found and those that the best of them name, by position, with scores in [0, 1], best first.

    :param fused: scores in [0, 1] by position.
    :param allowed: for each passage whether it may be led to.
    """
    scores = dict(fused)
    best = {passages[row].title: row for row in sorted(fused, key=lambda row: fused[row])}
    for title in _named(query, best):
        scores[best[title]] += _TUNED.named
    first = sorted(scores, key=lambda row: -scores[row])[: _TUNED.kept]
    sources = first[: _TUNED.sources]
    links = [_links(passages[row], set(words(query)), passages, lexical) for row in sources]
    rows = np.array([row for row in set(scores).union(*links) if allowed[row]], dtype=np.int32)
    parts = lexical.parts(query, rows)  # (words, rows)
    parts /= parts.sum(axis=0).max(initial=1e-9)
    gains = np.zeros((len(sources) + 1, len(rows)))  # the last row is for no gain
    for gain, source, linked in zip(gains, sources, links, strict=False):
        rest = parts[parts[:, rows == source].ravel() == 0].sum(axis=0)
        link = np.array([linked.get(row, 0.0) for row in rows.tolist()])
        gain[:] = (_TUNED.rest + _TUNED.linked_rest * (link > 0)) * rest + link
        gain *= min(1.0, scores[source]) * (rows != source)
    total = np.array([scores.get(row, 0.0) for row in rows.tolist()]) + gains.max(axis=0)
    scaled, by = total / max(1.0, total.max(initial=0)), gains.argmax(axis=0)
    found: dict[int, Bridged] = {}
    places = np.array([first.index(row) if row in first else _TUNED.kept for row in rows.tolist()])
    bound = 1.0
    for i in np.lexsort((rows, -total, places)).tolist():
        row, source = int(rows[i]), [*sources, None][by[i]]
        bound = min(bound, float(scaled[i]))
        found[row] = Bridged(bound, source if source is not None and row in links[by[i]] else None)
    return found


def _links(passage: Passage, asked: set[str], passages: Sequence[Passage], lexical: LexicalIndex) -> dict[int, float]:
    """The passages of other titles that a passage names, by position, with a strength.

    A name that the question holds leads nowhere new; one in more than sqrt(N) of N passages tells nothing.
    """
    reach = math.sqrt(len(passages))
    strengths: dict[int, float] = {}
    for name in {frozenset(words(name)) for name in _names(passage)}:
        holders = [] if name <= asked else lexical.holding(name).tolist()
        if 1 < len(holders) <= reach:
            rarity = 1 - math.log(len(holders)) / math.log(reach)
            strengths |= {row: max(_TUNED.link * rarity, strengths.get(row, 0.0)) for row in holders}
    others = {row: strength for row, strength in strengths.items() if passages[row].title != passage.title}
    titled = _named(passage.text, (passages[row].title for row in others))
    return {row: strength + _TUNED.title * (passages[row].title in titled) for row, strength in others.items()}


def _names(passage: Passage) -> Iterator[str]:
    """The runs of capitalised words, and pairs of them that a comma joins."""
    begins = {span.start - passage.start for span in passage.sentences}
    before, end = "", -9
    for match in _NAME.finditer(passage.text):
        name = match.group()
        if name[0].islower() or (match.start() in begins and " " not in name):
            continue  # any word is capitalised where a sentence begins
        yield name
        if passage.text[end : match.start()] == ", ":
            yield f"{before} {name}"
        before, end = name, match.end()


def _named(text: str, titles: Iterable[str]) -> set[str]:
    """The titles that stand in a text, whole or without the brackets at their end.

    One within a longer one does not count, nor digits, nor one word that is not capitalised or begins the text.
    """
    forms: dict[tuple[str, bool], set[str]] = {}
    left, named = _spaced(text), set[str]()
    for title in set(titles):
        for form in {title, _BRACKETS.sub("", title)}:
            spaced = _spaced(form)
            telling = spaced.count(" ") > 2 or (form[:1].isupper() and f" {form}" in text)
            if spaced in left and telling and not spaced.strip().isdigit():
                forms.setdefault((spaced, form != title), set()).add(title)
    for spaced, shortened in sorted(forms, key=lambda key: (-len(key[0]), key[1])):
        if spaced in left:
            left = left.replace(spaced, " | ")
            named |= forms[spaced, shortened]
    return named


def _spaced(text: str) -> str:
    """The words of a text as titles are compared, a space around each."""
    return f" {' '.join(bare(word) for word in _WORD.findall(plain(text)))} "
