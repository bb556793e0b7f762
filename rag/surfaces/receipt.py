"""A receipt: one answer as one file that opens offline, with all that is needed to check it again later.

The file is a function of its data, which it carries. So a page that was edited is one that its data do not give.
It is no signature: anyone can make a receipt. What it proves, `verify` proves, against the documents.
"""

import base64
import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from rag import __version__
from rag.answering.markup import inert
from rag.answering.phrases import said
from rag.answering.types import Answer, Citation
from rag.engine import Rag
from rag.errors import CorpusError, ReceiptError
from rag.retrieval.disk import write_whole

FORMAT = 1  # of the data and of the page that is made from them
CONTEXT_CHARS = 240  # shown on each side of a quote
_NEAREST = 3  # passages shown with an abstention
_SETTINGS = frozenset({"passages", "embedding_model", "embedding_precision", "reranker", "llm", "unsupported"})
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MARKS = re.compile(r" ?((?:\[\d+\])+)")


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote, or a passage near a question that was declined, with what stands around it."""

    citation: Citation
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer: Receipt.text[start:end], with the numbers of its quotes."""

    start: int
    end: int
    quotes: tuple[int, ...]
    supported: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A document as it was: digest and length of its extracted text."""

    source: str
    sha256: str
    characters: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The data of a receipt."""

    format: int
    version: str
    date: str  # ISO 8601, UTC
    language: str  # of the page: en or zh
    question: str
    query: str
    text: str
    note: str
    abstained: bool
    confidence: float
    model: str
    claims: tuple[Claim, ...]
    quotes: tuple[Quote, ...]
    sources: tuple[Source, ...]
    settings: dict[str, str]

    def copied(self, claim: Claim) -> bool:
        """Whether a sentence is one of its quotes, word for word, but for markup that answers leave out."""
        told, quotes = self.text[claim.start : claim.end], (q.citation for q in self.quotes)
        return any(told.split() == inert(" ".join(c.quote.split())).split() for c in quotes if c.number in claim.quotes)


def receipt(rag: Rag, answer: Answer) -> str:
    """The receipt of an answer that this Rag has just given, as HTML.

    :raises CorpusError: a document changed since the answer.
    """
    cited = answer.citations or tuple(
        Citation(n, h.source, h.title, h.section, h.page, h.start, h.end, h.text, (0, len(h.text)))
        for n, h in enumerate(answer.hits[:_NEAREST] if answer.abstained else (), 1)
    )
    texts = {source: rag.document_text(source) for source in sorted({one.source for one in cited})}
    settings = rag.settings.model_dump(mode="json", include=set(_SETTINGS), exclude_none=True)
    return page(
        Receipt(
            FORMAT, __version__, datetime.now(UTC).isoformat(timespec="seconds"),
            "en" if said("Not in the documents.", answer.question).isascii() else "zh",
            answer.question, answer.query, answer.text, getattr(answer, "note", ""),
            answer.abstained, answer.confidence, answer.model,
            tuple(Claim(s.start, s.end, tuple(c.number for c in s.citations), s.supported) for s in answer.sentences),
            tuple(_quoted(one, texts[one.source]) for one in cited),
            tuple(Source(source, text_digest(text), len(text)) for source, text in texts.items()),
            {name: str(value) for name, value in settings.items()},
        )
    )  # fmt: skip


def check_place(path: Path) -> None:
    """:raises ReceiptError: no file can be written there."""
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise ReceiptError(f"A receipt cannot be written to {path}: {why}. Name a file in a folder that exists.")


def write(rag: Rag, answer: Answer, path: Path) -> None:
    """Write the receipt of an answer, whole or not at all; a file that is there is replaced."""
    write_whole(path, receipt(rag, answer).encode())


def text_digest(text: str) -> str:
    """SHA-256 of a document's extracted text, in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def page(made: Receipt) -> str:
    """The file of a receipt. Every character of foreign text is text in it, never markup."""
    form, words = _form(), _form()["words"][made.language]
    style = base64.b64encode(hashlib.sha256(form["style"].encode()).digest()).decode()
    told = {words["confidence"]: f"{made.confidence:.2f}", words["model"]: made.model}
    told |= {words["version"]: f"rag {made.version}"} | made.settings
    sources = {one.source: f"{one.sha256} ({one.characters} {words['characters']})" for one in made.sources}
    heading = words["nearest"] if made.abstained else words["heading"]
    foreign = {"question": made.question, "query": made.query, "remarks": made.note, "language": made.language}
    foreign["date"] = made.date.replace("T", " ").replace("+00:00", " UTC")
    return _fill(
        "page",
        **{name: _shown(text) for name, text in foreign.items()},
        **{name: words[name] for name in ("receipt", "searched", "sources", "made", "footer")},
        style=form["style"], style_hash=style, heading=heading,
        answer=_answer(made, words),
        quotes="".join(_quote(one, words) for one in made.quotes) or f'<p class="quiet">{words["none"]}</p>\n',
        documents="".join(_fill("row", name=_shown(n), value=f"<code>{_shown(v)}</code>") for n, v in sources.items()),
        settings="".join(_fill("row", name=_shown(name), value=_shown(value)) for name, value in told.items()),
        data=json.dumps(asdict(made)).replace("<", "\\u003c"),
    )  # fmt: skip


def _quoted(citation: Citation, text: str) -> Quote:
    if text[citation.start : citation.end] != citation.quote:
        raise CorpusError(f"{citation.source} changed after the answer was given. Ask again.")
    before = text[max(0, citation.start - CONTEXT_CHARS) : citation.start]
    return Quote(citation, before, text[citation.end : citation.end + CONTEXT_CHARS])


def _answer(made: Receipt, words: dict[str, str]) -> str:
    shown, cursor = "", 0
    for claim in made.claims:
        shown += _shown(made.text[cursor : claim.end])
        written = _MARKS.match(made.text, claim.end) if claim.quotes else None
        cursor = written.end() if written else claim.end
        shown += " " * bool(claim.quotes) + " ".join(_fill("mark", number=str(number)) for number in claim.quotes)
        if not claim.supported:
            shown += _fill("flag", words=words["unsupported"])
        elif not made.copied(claim):
            shown += _fill("flag", words=words["reworded"])
    return shown + _shown(made.text[cursor:])


def _quote(one: Quote, words: dict[str, str]) -> str:
    c, (start, end) = one.citation, one.citation.highlight
    spot = f"{words['characters']} {c.start}\u2013{c.end}"
    place = " · ".join(p for p in (c.source, c.section, f"{words['page']} {c.page}" if c.page else "", spot) if p)
    parts = {"start": c.quote[:start], "middle": c.quote[start:end], "end": c.quote[end:]}
    foreign = {"title": c.title, "place": place, "before": one.before, "after": one.after, **parts}
    return _fill("quote", number=str(c.number), **{name: _shown(text) for name, text in foreign.items()})


def _shown(text: str) -> str:
    return escape(_UNSHOWABLE.sub("\ufffd", text))


def _fill(part: str, **values: str) -> str:
    return Template(_form()[part]).substitute(values)


@cache
def _form() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("receipt.toml").read_text("utf-8"))
