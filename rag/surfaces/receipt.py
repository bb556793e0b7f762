"""A receipt: one answer as one file that opens offline, and its check against the documents at any time later.

The file is a function of its data, which it carries. So a page that was edited is one that its data do not give.
It is no signature: anyone can make a receipt. What it proves, `verify` proves, against the documents.
"""

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Literal

from jinja2 import TemplateError

from rag import __version__
from rag.answering.compose import inert
from rag.answering.lexicon import said
from rag.answering.types import Answer, Citation, Sentence
from rag.documents.types import text_digest
from rag.engine import Rag
from rag.errors import CorpusError, ReceiptError, in_words
from rag.surfaces.forms import form

FORMAT = 1  # of the data and of the page that is made from them
CONTEXT_CHARS = 240  # shown on each side of a quote
_TOLD = ("question", "query", "text", "note", "abstained", "confidence", "model")  # of the answer, as it has them
_SETTINGS = {"passages", "reranker", "unsupported"}  # those that are true whatever else a Rag was given
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_HERE = Path(__file__)
_FORM = form(_HERE.with_suffix(".html").read_text("utf-8"), lambda text: escape(_UNSHOWABLE.sub("\ufffd", text)))
_GIVEN: dict[str, Any] = tomllib.loads(_HERE.with_suffix(".toml").read_text("utf-8"))
_WRONG = (ValueError, TypeError, LookupError, AttributeError, RecursionError, TemplateError)
_OPEN, _CLOSE = '<script type="application/json" id="receipt">', "</script>"


def receipt(rag: Rag, answer: Answer) -> str:
    """The receipt of an answer that was just given, as HTML; a CorpusError where a document changed since."""
    quotes = answer.citations or tuple(
        Citation(n, h.source, h.title, h.section, h.page, h.start, h.end, h.text, (0, 0))
        for n, h in enumerate(answer.nearest, 1)
    )
    texts = {source: rag.document_text(source) for source in sorted({quote.source for quote in quotes})}
    data = {
        "format": FORMAT,
        "version": __version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        **{name: getattr(answer, name) for name in _TOLD},
        "conflict": [{"value": c.value, "quote": c.citation.number} for c in answer.conflict],
        "sentences": [_sentence(sentence) for sentence in answer.sentences],
        "quotes": [_quote(quote, texts[quote.source]) for quote in quotes],
        "documents": {source: text_digest(text) for source, text in texts.items()},
        "settings": rag.settings.model_dump(mode="json", include=_SETTINGS, exclude_none=True),
    }
    return page(data)


def page(data: Mapping[str, Any]) -> str:
    """The file of a receipt, from its data; whatever is wrong in those is one of _WRONG."""
    words = _GIVEN["words"]["en" if said("Not in the documents.", data["question"]).isascii() else "zh"]
    made = {words["confidence"]: f"{data['confidence']:.2f}", words["model"]: data["model"]}
    made |= {words["version"]: f"rag {data['version']}"} | data["settings"]
    style = _GIVEN["style"]
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    written = json.dumps(data).replace("<", "\\u003c")
    return str(_FORM.page(data, words, style, style_hash, _sentences(data), made, written))


def _sentence(sentence: Sentence) -> dict[str, Any]:
    numbers = list(dict.fromkeys(citation.number for citation in sentence.citations))
    return {"start": sentence.start, "end": sentence.end, "quotes": numbers, "supported": sentence.supported}


def _quote(citation: Citation, text: str) -> dict[str, Any]:
    start, end = citation.start, citation.end
    if text[start:end] != citation.quote:
        raise CorpusError(f"{citation.source} changed after the answer was given. Ask again.")
    around = {"before": text[max(0, start - CONTEXT_CHARS) : start], "after": text[end : end + CONTEXT_CHARS]}
    return asdict(citation) | around


def _sentences(data: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[int], bool]]:
    """The text piece by piece, each with the numbers of its quotes, which it has as marks, and whether they hold it."""
    cursor = 0
    for sentence in data["sentences"]:
        yield data["text"][cursor : sentence["end"]], sentence["quotes"], sentence["supported"]
        marks = "".join(f"[{number}]" for number in sentence["quotes"])
        cursor = sentence["end"] + len(marks and f" {marks}")
    yield data["text"][cursor:], (), True


@dataclass(frozen=True, slots=True)
class Finding:
    """How one quote, one sentence, or the page stands."""

    what: str
    state: Literal["holds", "moved", "gone", "altered"]
    detail: str = ""


def verify(rag: Rag, path: Path) -> list[Finding]:
    """One finding for each quote, and each sentence or page that is not what its data say; else a ReceiptError."""
    try:
        html = path.read_text("utf-8", "replace")
        data = json.loads(html.rpartition(_OPEN)[2].partition(_CLOSE)[0])
        if data["format"] > FORMAT:
            raise ReceiptError(f"{path} was written by rag {data['version']}, a later version. Update rag.")
        return list(_findings(rag, data, html))
    except (OSError, *_WRONG) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ReceiptError(in_words("no_receipt", path=path, why=why)) from error


def _findings(rag: Rag, data: Mapping[str, Any], html: str) -> Iterator[Finding]:
    listed = {document.source for document in rag.documents()}
    holding: dict[int, str] = {}
    for quote in data["quotes"]:
        name = f"[{quote['number']}] {quote['source']}:{quote['start']}-{quote['end']}"
        text = rag.document_text(quote["source"]) if quote["source"] in listed else None
        found = _checked(name, quote, data["documents"][quote["source"]], text)
        if found.state == "holds":
            holding[quote["number"]] = quote["quote"]
        yield found
    for number, sentence in enumerate(data["sentences"], 1):
        told = data["text"][sentence["start"] : sentence["end"]].split()
        rests_on = [holding[at] for at in sentence["quotes"] if at in holding]
        if data["model"] == "extractive":  # whose sentences are copies, but for markup
            rests_on = [text for text in rests_on if inert(" ".join(text.split())).split() == told]
        if sentence["supported"] and not rests_on:
            yield Finding(f"sentence {number}", "gone", "no quote that still holds says this. Ask again.")
    if page(data) != html:
        yield Finding("page", "altered", "differs from its data: somebody edited it. Trust none of it.")


def _checked(name: str, quote: Mapping[str, Any], digest: str, text: str | None) -> Finding:
    """How a quote stands in the text that its document has now."""
    if text is None:
        return Finding(name, "gone", "the document is no longer in the index. Put it back, or ask again.")
    start, end, wording = quote["start"], quote["end"], quote["quote"]
    stands = 0 <= start < end and text[start:end] == wording
    if text_digest(text) == digest:
        around = text[start - len(quote["before"]) : end + len(quote["after"])]
        if stands and around == quote["before"] + wording + quote["after"]:
            return Finding(name, "holds")
        return Finding(name, "altered", "the document is as it was and does not say this: somebody edited the receipt.")
    if stands:
        return Finding(name, "holds", "the document has changed, but not here.")
    if (at := text.find(wording)) >= 0:
        return Finding(name, "moved", f"the document has changed; it says this at {at}-{at + len(wording)}. Ask again.")
    return Finding(name, "gone", "the document has changed and no longer says this. Ask again.")
