"""Checks a receipt against the documents as they are now, and its page against its data."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.answering.markup import inert
from rag.documents.types import text_digest
from rag.engine import Rag
from rag.errors import ReceiptError, in_words
from rag.surfaces.receipt import FORMAT, page

_OPEN, _CLOSE = '<script type="application/json" id="receipt">', "</script>"


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
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
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
    start, end, said = quote["start"], quote["end"], quote["quote"]
    stands = 0 <= start < end and text[start:end] == said
    if text_digest(text) == digest:
        around = text[start - len(quote["before"]) : end + len(quote["after"])]
        if stands and around == quote["before"] + said + quote["after"]:
            return Finding(name, "holds")
        return Finding(name, "altered", "the document is as it was and does not say this: somebody edited the receipt.")
    if stands:
        return Finding(name, "holds", "the document has changed, but not here.")
    if (at := text.find(said)) >= 0:
        return Finding(name, "moved", f"the document has changed; it says this at {at}-{at + len(said)}. Ask again.")
    return Finding(name, "gone", "the document has changed and no longer says this. Ask again.")
