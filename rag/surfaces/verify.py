"""Checks a receipt against the documents as they are now, and its page against its data."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.engine import Rag
from rag.errors import ReceiptError
from rag.surfaces.receipt import FORMAT, Quote, Receipt, page, text_digest

MAX_BYTES = 20_000_000
_OPEN, _CLOSE = '<script type="application/json" id="receipt">', "</script>"

State = Literal["holds", "moved", "gone", "altered"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one quote, one sentence, or the page stands."""

    what: str
    state: State
    detail: str


def verify(rag: Rag, path: Path) -> list[Finding]:
    """One finding for each quote, and one for each sentence or page that is not what its data say.

    :raises ReceiptError: the file is no receipt, or one that cannot be read.
    """
    html = _read(path)
    try:
        made = _receipt(html, path)
        same = page(made) == html
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ReceiptError(
            f"The data in {path} are damaged ({type(error).__name__}). Take an untouched copy."
        ) from error
    now = {info.source: info.characters for info in rag.documents()}
    findings = [_checked(rag, made, quote, now) for quote in made.quotes]
    holding = {q.citation.number for q, found in zip(made.quotes, findings, strict=True) if found.state == "holds"}
    for number, claim in enumerate(made.claims, 1):
        if claim.supported and made.model == "extractive" and not made.copied(claim):
            findings.append(Finding(f"sentence {number}", "altered", "is no copy of its quote, though it was one."))
        elif claim.supported and not holding & set(claim.quotes):
            findings.append(Finding(f"sentence {number}", "gone", "rests on no quote that still holds. Ask again."))
    if not same:
        findings.append(Finding("page", "altered", "differs from its data: somebody edited it. Trust none of it."))
    return findings


def _checked(rag: Rag, made: Receipt, quote: Quote, now: dict[str, int]) -> Finding:
    c, what = quote.citation, f"[{quote.citation.number}] {quote.citation.source}:{quote.citation.start}-"
    what += str(c.end)
    then = next((one for one in made.sources if one.source == c.source), None)
    if then is None or not 0 <= c.start < c.end:
        return Finding(what, "altered", "the receipt has no such document or place: somebody edited it.")
    if c.source not in now:
        same = (s for s, size in now.items() if size == then.characters)
        other = next((s for s in same if text_digest(rag.document_text(s)) == then.sha256), None)
        if other:
            return Finding(what, "moved", f"the document is now {other}, with the same text. Ask again.")
        return Finding(what, "gone", "the document is no longer in the index. Put it back, or ask again.")
    text = rag.document_text(c.source)
    unchanged = text_digest(text) == then.sha256
    around = text[max(0, c.start - len(quote.before)) : c.end + len(quote.after)]
    if text[c.start : c.end] == c.quote and (not unchanged or around == quote.before + c.quote + quote.after):
        return Finding(what, "holds", "" if unchanged else "the document has changed, but not here.")
    if unchanged:
        return Finding(what, "altered", "the document is as it was and does not say this: somebody edited the receipt.")
    if (at := text.find(c.quote)) >= 0:
        return Finding(what, "moved", f"the document has changed; it says this at {at}-{at + len(c.quote)}. Ask again.")
    return Finding(what, "gone", "the document has changed and no longer says this. Ask again.")


def _read(path: Path) -> str:
    if not path.is_file():
        raise ReceiptError(f"There is no file {path}. `rag ask QUESTION --save FILE` writes a receipt.")
    if path.stat().st_size > MAX_BYTES:
        raise ReceiptError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB: no receipt is.")
    html = path.read_bytes().decode("utf-8", "replace")
    if _OPEN not in html:
        raise ReceiptError(f"{path} is no receipt. `rag ask QUESTION --save FILE` writes one.")
    return html


def _receipt(html: str, path: Path) -> Receipt:
    from pydantic import TypeAdapter

    data = json.loads(html.rpartition(_OPEN)[2].partition(_CLOSE)[0])
    if data["format"] > FORMAT:
        raise ReceiptError(f"{path} was written by rag {data.get('version')}, a later version. Update rag.")
    return TypeAdapter(Receipt).validate_python(data)
