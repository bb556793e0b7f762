"""From an answerer's drafts to an answer: each sentence checked, cited by exact quote, and put in its place.

The only maker of citations. What it says is supported was either copied from the document or judged by the grounder.

Of a document's markup only its words reach a reader or a model, and nothing that acts: a client may show an answer as
Markdown or HTML, where an image sends a request and a link leads elsewhere. Quotes stay as they are in the document.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rag.answering.grounding import Grounder
from rag.answering.lexicon import patterns, said
from rag.answering.types import Citation, Declined, DifferingValue, Draft, Evidence, Said, ScoredSentence, Sentence
from rag.documents.types import Span
from rag.retrieval.lexical import words
from rag.retrieval.types import Hit

_PATTERNS = patterns("markup")
_GONE = {"hidden": "", "image": "", "definition": "", "link": r"\1", "autolink": r"\1", "target": "]", "tag": ""}
_HALVES = {"half_image": "[", "half_link": "] ", "half_tag": "< "}  # the other half may stand in the next sentence


class Composition:
    """An answer in the making."""

    def __init__(self, grounder: Grounder, hits: Sequence[Hit], unsupported: Literal["mark", "drop"] = "mark") -> None:
        self._grounder = grounder
        self._hits = hits
        self._drops = unsupported == "drop"
        self._failure = ""
        self.model: str | None = None  # what made the answer, where it is not the answerer that was asked
        self.declined: str | None = None  # the reason, once there is one
        self._begin()

    def _begin(self) -> None:
        self._cited: dict[tuple[str, int, int], Citation] = {}
        self._gap = ""  # what stands before sentences that were left out
        self.text = ""
        self.sentences: list[Sentence] = []
        self.conflict: tuple[DifferingValue, ...] = ()

    def add(self, drafts: Iterable[Draft | Declined]) -> Iterator[Said]:
        """Check the drafts as they come; the sentences that may be shown, one by one.

        Nothing is given out before a sentence is supported: an answer of which nothing holds is no answer. What was
        given out stays, whatever follows; else a failed answerer's successor begins anew.
        """
        held, holds, reason = list[Said](), False, ""
        for draft in drafts:
            if isinstance(draft, Draft):
                held += self._place(draft)
                if holds := holds or any(one.sentence.supported for one in held):
                    yield from held
                    held = []
                none = "The model gave an answer, but the documents bear out none of it."
                reason = "No passage comes close enough to the question." if draft.evidence else none
                continue
            reason = draft.reason
            self._failure = reason if draft.successor else self._failure
            if holds or not draft.successor:
                break
            self._begin()
            held, self.model = [], draft.successor
        self.declined, self._gap = None if holds else reason, ""

    def note(self, question: str) -> str:
        """What went wrong on the way, in words for the user; "" when nothing did."""
        told = "This answer was made without it." if self.model else "The answer ends there."
        return f"{self._failure} {said(told, question)}" if self._failure else ""

    def add_conflict(self, otherwise: str, sentences: Sequence[ScoredSentence]) -> Iterator[Said]:
        """What documents say otherwise, after the word that they do: all that was not said yet."""
        sentences = [sentence for sentence in sentences if is_material(sentence)]
        if self.declined is not None or len(sentences) < 2:
            return
        lead = f"\n\n{otherwise} "
        for sentence in sentences:
            if not self._quoting(sentence):
                yield from self._place(Draft.copied(sentence, lead))
                lead = " "
        self.conflict = tuple(DifferingValue(s.said, found) for s in sentences if (found := self._quoting(s)))

    def _place(self, draft: Draft) -> list[Said]:
        text, evidence = inert(draft.text).strip(), self._evidence(draft) if draft.text else []
        lead = f"{self._gap}{draft.lead}" if self.text else f"\n{self._gap}{draft.lead}"
        lead = inert(_PATTERNS["empty_line"].sub("", lead if draft.text else f"{lead}\n"))
        if draft.text and not (text and (evidence or not (self._drops or draft.evidence))):
            self._gap = lead
            return []
        self._gap = ""
        if self.text.endswith("]") and text.startswith(("(", "[", ":")):
            lead = lead or " "  # else our mark would become the text of a link
        self.text += lead if self.text else lead.lstrip()
        if not text:
            self.text = self.text.rstrip()
            return []
        start = len(self.text)
        citations = tuple(self._cite(text, found) for found in evidence)
        marks = "".join(f"[{number}]" for number in dict.fromkeys(c.number for c in citations))
        self.text += f"{text} {marks}" if marks else text
        place = start, start + len(text)
        self.sentences.append(Sentence(text, *place, citations, bool(citations), _value(text, evidence)))
        return [Said(self.sentences[-1], self.text)]

    def _evidence(self, draft: Draft) -> list[Evidence]:
        """Its own claim for a copy; else what the grounder finds where it points, or in any hit: models misnumber."""
        found = [found for found in draft.evidence if found.line == draft.text]
        if not found:
            claim = _PATTERNS["sign"].sub("", inert(draft.text))
            pointed = [self._hits[n - 1] for n in draft.cited if 1 <= n <= len(self._hits)]
            found = [evidence for hit in pointed if (evidence := self._grounder.ground(claim, [hit]))]
            if not found and (evidence := self._grounder.ground(claim, self._hits)):
                found = [evidence]
        return [evidence for evidence in found if is_material(evidence)]

    def _quoting(self, found: Evidence) -> Citation | None:
        """The citation whose quote holds this; it may be one of several sentences."""
        same = (citation for citation in self._cited.values() if citation.source == found.hit.source)
        return next((one for one in same if one.start <= found.span.start and found.span.end <= one.end), None)

    def _cite(self, claim: str, found: Evidence) -> Citation:
        hit, quote = found.hit, found.text
        place = (hit.source, *found.span)
        if place not in self._cited:
            heads = len(self._cited) + 1, hit.source, hit.title, hit.section, hit.page
            self._cited[place] = Citation(*heads, *found.span, quote, _highlight(claim, found))
        return self._cited[place]


def _value(text: str, evidence: Sequence[Evidence]) -> Span | None:
    """Where the asked-for value stands in a sentence that was copied."""
    for found in evidence:
        value = " ".join(found.said.split()) if isinstance(found, ScoredSentence) else ""
        if value and (at := text.find(value)) >= 0:
            return Span(at, at + len(value))
    return None


def _highlight(claim: str, found: Evidence) -> tuple[int, int]:
    """The asked-for value, where it is known; else from the first to the last word that claim and quote share."""
    if isinstance(found, ScoredSentence) and found.value:
        return found.value.start - found.span.start, found.value.end - found.span.start
    shared, quote = set(words(claim)), found.text
    spans = [match.span() for match in _PATTERNS["word"].finditer(quote) if shared & set(words(match.group()))]
    return (spans[0][0], spans[-1][1]) if spans else (0, len(quote))


def inert(text: str) -> str:
    """The text without images, with links as their words alone, and with no tag that a browser would act on."""
    for name, left in (_GONE | _HALVES).items():
        text = _PATTERNS[name].sub(left, text)
    return text.encode("utf-8", "replace").decode()  # half a pair can be neither shown nor saved


def seen(text: str) -> str:
    """The text without what a document hides from its readers: comments, and elements that are not displayed."""
    return _PATTERNS["hidden"].sub("", text)


def is_material(found: Evidence) -> bool:
    """Whether an answer may rest on this: it is not hidden from readers, no order to a model, and not only markup."""
    at = found.span.start - found.hit.start
    hidden = any(part.start() <= at < part.end() for part in _PATTERNS["hidden"].finditer(found.hit.text))
    return not hidden and not _PATTERNS["order"].search(found.text) and inert(found.text).strip() != ""
