"""What the answering layer takes and hands on."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypedDict

from rag.documents.types import Span
from rag.retrieval.types import Hit


class Turn(TypedDict):
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


History = Sequence[Turn]  # oldest first
Kind = Literal["fact", "overview"]
Guard = Literal["number", "name", "negation", "meaning"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, as asked and as searched."""

    text: str  # what was asked
    query: str  # what is searched: the same, or with what the conversation fills in
    kind: Kind = "fact"
    history: tuple[Turn, ...] = ()
    alone: str = ""  # as searched, without what the conversation filled in; "" when nothing was
    sides: tuple[str, ...] = ()  # what is to be compared, or the one thing that is to be told of


@dataclass(frozen=True, slots=True)
class Evidence:
    """A span of a hit that an answer may rest on; not yet checked."""

    hit: Hit
    span: Span  # in document offsets

    @property
    def text(self) -> str:
        """The text of the span, exactly as in the document."""
        return self.hit.quote(self.span)

    @property
    def line(self) -> str:
        """The same on one line, as a copy of it is shown."""
        return " ".join(self.text.split())


@dataclass(frozen=True, slots=True)
class ScoredSentence(Evidence):
    """A sentence of a hit. Scores order the sentences of one reading: a difference of 1 is about e to 1 in odds."""

    score: float
    value: Span | None = None  # the asked-for value in it, where one stands out; in document offsets

    @property
    def said(self) -> str:
        """The text of the value; "" without one."""
        return self.hit.quote(self.value) if self.value else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading the hits for a question gave."""

    sentences: tuple[ScoredSentence, ...]  # best first
    clauses: tuple[ScoredSentence, ...]  # for a question with several halves, the best sentence for each
    confidence: float  # in [0, 1]: how likely the hits hold the answer
    unknown: tuple[str, ...]  # words of the question that occur in no document
    conflict: tuple[ScoredSentence, ...] = ()  # where documents give different values, a sentence for each


@dataclass(frozen=True, slots=True)
class Draft:
    """One sentence of an answer to be, with what it claims to rest on."""

    text: str
    evidence: tuple[Evidence, ...] = ()  # exact spans, where the answerer knows them
    cited: tuple[int, ...] = ()  # else numbers of passages, from 1, as the model gave them
    lead: str = ""  # what stands before it: white space, the mark of a list item, a heading

    @staticmethod
    def copied(found: Evidence, lead: str) -> "Draft":
        """The evidence's own words, resting on it."""
        return Draft(found.line, (found,), lead=lead)


@dataclass(frozen=True, slots=True)
class Declined:
    """An answerer's word that the passages do not answer, or that it failed, and why, in words for the user."""

    reason: str
    successor: str = ""  # where it failed, the name of the answerer whose answer follows


class Answerer(Protocol):
    """Makes an answer out of passages. Every implementation passes tests/answering/test_conformance.py."""

    name: str

    def resolve(self, question: str, history: History) -> str:
        """A follow-up as it can be searched on its own; "" where this answerer has no way to tell."""
        ...

    def answer(self, question: Question, hits: Sequence[Hit], reading: Reading) -> Iterator[Draft | Declined]:
        """The sentences of the answer one by one, or one Declined; after one with a successor, the successor's."""
        ...


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact quote. document_text(source)[start:end] == quote, always."""

    number: int  # from 1, in the order of first use
    source: str
    title: str
    section: str
    page: int | None
    start: int
    end: int
    quote: str
    highlight: tuple[int, int]  # offsets within quote of the part that carries the claim


@dataclass(frozen=True, slots=True)
class Support:
    """Whether some texts support a claim, and where."""

    supported: bool
    score: float  # in [0, 1]: the share of the claim that the best span carries
    text: int | None  # which of the texts holds the span, from 0
    span: Span | None  # in that text
    failed: Guard | None  # the guard that failed


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer. Answer.text[start:end] == text."""

    text: str
    start: int
    end: int
    citations: tuple[Citation, ...]
    supported: bool
    value: Span | None = None  # the asked-for value in text, where it is known; in offsets of text


@dataclass(frozen=True, slots=True)
class DifferingValue:
    """One of several values that documents give for the same thing."""

    value: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that answers can be asked of, and whether it could answer now."""

    name: str
    state: Literal["ready", "key missing", "package missing", "unreachable"] = "ready"
    detail: str = ""  # what to do, in one line; "" when it is ready


@dataclass(frozen=True, slots=True)
class Answer:
    """What `ask` returns. An abstention is an ordinary answer, without sentences."""

    question: str
    query: str
    text: str  # what to show: `[n]` after each cited sentence
    abstained: bool
    reason: str  # why it abstained, in words; "" when it did not
    confidence: float  # in [0, 1]: how likely the documents answer the question
    sentences: tuple[Sentence, ...]
    hits: tuple[Hit, ...]  # all that was considered, best first
    model: str  # what made it
    seconds: float
    note: str = ""  # what went wrong on the way, in words; "" when nothing did
    conflict: tuple[DifferingValue, ...] = ()  # where documents give different values: each, with its source
    suggestions: tuple[str, ...] = ()  # questions to go on with, which the documents answer; at most three

    @property
    def nearest(self) -> tuple[Hit, ...]:
        """The passages to show with an abstention, best first; () with an answer."""
        return self.hits[:3] if self.abstained else ()

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every citation once, in the order of their numbers."""
        found = {citation.number: citation for sentence in self.sentences for citation in sentence.citations}
        return tuple(found[number] for number in sorted(found))

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values, ready for JSON."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for name in ("sentences", "citations", "conflict"):
            fields[name] = [asdict(one) for one in getattr(self, name)]
        return fields | {"hits": [hit.to_dict() for hit in self.hits]}


@dataclass(frozen=True, slots=True)
class Searching:
    """The search begins, for this query."""

    query: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages that are considered."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One more sentence, after it was checked."""

    sentence: Sentence
    so_far: str  # the answer's text up to and with this sentence and its marks


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer; always the last event."""

    answer: Answer


Event = Searching | Retrieved | Said | Done
