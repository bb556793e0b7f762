"""Questions that the documents answer, to begin with or to go on with, and what is said when nothing was asked.

They are made from sentences by the patterns of questions.toml: English only, and rather none than a clumsy one.
"""

import json
import logging
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path

from rag.answering.extractive import ExtractiveAnswerer, read_sides, retrieve
from rag.answering.intent import Intent, sides_of
from rag.answering.lexicon import patterns, said, texts
from rag.answering.reading import Reader
from rag.answering.types import Answer, Draft, Evidence, History, Question
from rag.documents.types import Span
from rag.retrieval.generation import Generation
from rag.retrieval.language import ENGLISH, language_of
from rag.retrieval.lexical import forms_of, words
from rag.retrieval.retriever import HybridRetriever
from rag.retrieval.types import Hit
from rag.tuned import tuned

log = logging.getLogger(__name__)

FILE = ".starters.json"  # in the corpus folder: {source: [question, ...]}, for those who want to choose them
_TUNED = tuned("starters")
_ASKED = 'What is said about "{}"?'

_patterns = cache(lambda: patterns("made", "questions"))  # when they are needed: they take a while to compile


def small_talk(message: str, intent: Intent, questions: tuple[str, ...]) -> str:
    """One line for a greeting, thanks or a question about the system, with questions that can be asked."""
    return " ".join([said(texts("openings")[intent], message), *(f"\u201c{question}\u201d" for question in questions)])


@dataclass(frozen=True, slots=True)
class Suggester:
    """Suggests questions about one generation, each found to be answered with the sentence it was made from."""

    generation: Generation
    retriever: HybridRetriever
    reader: Reader
    answerer: ExtractiveAnswerer
    answered: dict[str, bool]  # the questions that were tried

    def starters(self, corpus: Path) -> tuple[str, ...]:
        """Three questions: those written down for the documents that are there, else made from places far apart."""
        written, passages = _written(corpus / FILE), self.generation.passages
        chosen = [question for source in self.generation.documents for question in written.get(source, ())]
        places = passages[:: len(passages) // _TUNED.sample + 1]
        third = -(-len(places) // _TUNED.count)
        hits = [Hit.of(passage, score=1.0) for start in range(third) for passage in places[start::third]]
        whole = said("What is this about?", passages[0].text if passages else "")
        made = () if len(chosen) >= _TUNED.count else self._answered(self._made(hits, 1), _TUNED.starting_seconds)
        return tuple(islice(chain(dict.fromkeys(chosen), made, [whole]), _TUNED.count))

    def near(self, answer: Answer, turns: History) -> tuple[str, ...]:
        """At most three questions from the hits of an answer, none about what was asked or said in the conversation."""
        told = answer.question, *(turn["content"] for turn in turns), *(one.text for one in answer.sentences)
        known, made = [set(words(text)) for text in told], self._made(answer.hits[: _TUNED.near])
        new = dict(one for one in made if not any(set(words(one[0])) <= held for held in known))
        return tuple(islice(self._answered(new.items(), _TUNED.seconds), _TUNED.count))

    def _made(self, hits: Sequence[Hit], each: int | None = None) -> list[tuple[str, Evidence]]:
        """At most so many questions from each hit; those about mere names and headings last."""
        texts, heads = self.generation.documents, {hit.section: hit for hit in hits if hit.section}
        made = [one for hit in hits for one in sorted(questions(hit, texts[hit.source].text), key=_is_plain)[:each]]
        asked = ((said(_ASKED, head).format(head.split(" > ")[-1]), hit) for head, hit in heads.items())
        made += [(question, Evidence(hit, Span(hit.start, hit.end))) for question, hit in asked]
        return sorted(made, key=_is_plain)

    def _answered(self, made: Iterable[tuple[str, Evidence]], seconds: float) -> Iterator[str]:
        until = time.perf_counter() + seconds
        for text, found in islice(made, _TUNED.tried):
            if text not in self.answered and time.perf_counter() < until:
                self.answered[text] = self._is_answered(text, found)
            if self.answered.get(text):
                yield text

    def _is_answered(self, text: str, found: Evidence) -> bool:
        question = Question(text, text, sides=sides_of(text))
        hits = retrieve(self.retriever, question, _TUNED.read)
        drafts = self.answerer.answer(question, hits, read_sides(self.reader, question, hits))
        quoted = [one for draft in drafts if isinstance(draft, Draft) for one in draft.evidence]
        spans = [one.span for one in quoted if one.hit.source == found.hit.source]
        return any(found.span.start <= span.start and span.end <= found.span.end for span in spans)


def _is_plain(made: tuple[str, Evidence]) -> bool:
    return made[0].startswith(_ASKED[:20])


def _written(file: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return {str(source): [str(question) for question in questions] for source, questions in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.warning("%s cannot be used (%s): it must map each document to a list of questions.", file, error)
        return {}


def questions(hit: Hit, text: str) -> Iterator[tuple[str, Evidence]]:
    """A question for each sentence that gives one, and the sentence; `text` is the whole document's."""
    around, made = text[max(0, hit.start - _TUNED.around) : hit.end + _TUNED.around], _patterns()
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
    return question if named and "  " not in question and len(question.split()) <= _TUNED.max_words else ""


def _within(subject: str, around: str) -> str:
    """What a sentence begins with as it is written within one; "" where that cannot be told."""
    first, gap, rest = subject.partition(" ")
    common = re.search(rf"\b{re.escape(first.lower())}\b", around) and first[1:].islower()
    named = re.search(rf"[a-z,] {re.escape(first)}\b", around) or not first[1:].islower()
    if first in ("The", "A", "An") or (common and not named and not rest[:1].isupper()):
        return f"{first.lower()}{gap}{rest}"
    return subject if rest[:1].isupper() or (named and not common) else ""
