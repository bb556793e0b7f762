"""The text of a PDF, page by page, where it stands, and how a page looks: the one home of pypdfium2."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import Any

from rag.documents.types import Box
from rag.errors import UnreadableDocument

# pdfium marks a word that it saw broken; the line's end goes with it. Half a character is none.
_DROPPED = re.compile(r"[\x02\ufffe]\r?\n?|\r(?=\n)|[\ud800-\udfff]")
_LINE = re.compile(r"[^\s\x02\ufffe](?:[^\r\n\x02\ufffe]*[^\s\x02\ufffe])?")
_PDFIUM = threading.Lock()  # the library is not thread-safe
_FINE = 1_000_000  # places are told in whole pixels: of a page that is so wide and so high
_MAX_HEIGHT = 4000  # pixels of a picture, however long the page


def read_pdf(data: bytes) -> tuple[str, list[str]]:
    """The title in the metadata, or "", and the text of every page in order; lines end in newline."""
    if not data.lstrip()[:5] == b"%PDF-":
        raise UnreadableDocument("it is not a PDF, whatever its name says")
    with _opened(data) as pdf:
        title = pdf.get_metadata_value("Title").strip()
        pages = []
        for number in range(len(pdf)):
            with closing(pdf[number]) as page:
                pages.append(_text(_raw(page.get_textpage())))
    if not any(page.strip() for page in pages):
        raise UnreadableDocument("the PDF has no text layer; it may be a scan. Run it through OCR first")
    return title, pages


def line_boxes(data: bytes, number: int, start: int, end: int) -> tuple[str, list[Box]]:
    """The text of a page, counted from 1, as `read_pdf` gives it, and around a part of it a box for each line."""
    with _opened(data) as pdf, closing(pdf[number - 1]) as page:
        text_page = page.get_textpage()
        raw = _raw(text_page)
        gone = {place for found in _DROPPED.finditer(raw) for place in range(*found.span())}
        kept = [place for place in range(len(raw)) if place not in gone][start:end]
        lines = [line.span() for line in _LINE.finditer(raw, kept[0], kept[-1] + 1)] if kept else []
        spans = [(_units(raw[:first]), _units(raw[:last])) for first, last in lines]
        return _text(raw), [box for span in spans for box in _boxes(page, number, text_page, *span)]


def page_picture(data: bytes, number: int, width: int) -> bytes:
    """A page, counted from 1, as a PNG that is `width` pixels wide; narrower where it would be far too high."""
    with _opened(data) as pdf, closing(pdf[number - 1]) as page:
        scale = min((width - 0.5) / page.get_width(), (_MAX_HEIGHT - 0.5) / page.get_height())  # it is rounded up
        with closing(page.render(scale=scale)) as bitmap:
            picture = bitmap.to_pil()
    picture.save(file := BytesIO(), "PNG")
    return file.getvalue()


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """The PDF, for one thread at a time; nothing of it is read yet but its outline."""
    import pypdfium2

    with _PDFIUM:
        try:
            with pypdfium2.PdfDocument(data) as pdf:
                yield pdf
        except pypdfium2.PdfiumError as error:
            raise UnreadableDocument(f"the PDF cannot be read: {error}") from error


def _raw(text_page: Any) -> str:
    return str(text_page.get_text_range(errors="surrogatepass"))


def _units(raw: str) -> int:
    """How long a text is for pdfium, which counts in units of UTF-16."""
    return len(raw.encode("utf-16-le", "surrogatepass")) // 2


def _text(raw: str) -> str:
    return _DROPPED.sub("", raw).replace("\r", "\n")


def _boxes(page: Any, number: int, text_page: Any, start: int, end: int) -> list[Box]:
    """Around some of pdfium's characters, which it takes for one line, a box; several where it does so wrongly."""
    from pypdfium2 import PdfPosConv
    from pypdfium2.raw import FPDFText_GetCharIndexFromTextIndex as character_at

    first, last = character_at(text_page, start), character_at(text_page, end - 1)
    as_shown = PdfPosConv(page, (0, 0, _FINE, _FINE, 0)).to_bitmap  # turned, and cut to what is seen
    boxes: list[Box] = []
    for part in range(text_page.count_rects(first, last - first + 1)):  # one for each stretch that was set as one
        left, bottom, right, top = text_page.get_rect(part)
        (x, y), (to_x, to_y) = as_shown(left, top), as_shown(right, bottom)
        left, right, top, bottom = (min(max(0, at / _FINE), 1) for at in (*sorted((x, to_x)), *sorted((y, to_y))))
        if boxes and top < boxes[-1].bottom and boxes[-1].top < bottom:
            one = boxes.pop()
            left, top = min(left, one.left), min(top, one.top)
            right, bottom = max(right, one.right), max(bottom, one.bottom)
        boxes.append(Box(number, left, top, right, bottom))
    return [box for box in boxes if box.left < box.right and box.top < box.bottom]
