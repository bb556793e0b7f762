"""The text of a PDF, page by page, where it stands, and how a page looks: the one home of pypdfium2."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from ctypes import byref, c_double, create_string_buffer
from io import BytesIO
from itertools import accumulate, product
from math import hypot
from typing import Any, NamedTuple

from rag.documents.ocr import WIDTH, recognised
from rag.documents.pdf_lines import BROKEN, MAX_OUTER, WORD_GAP, Page, Piece, rows_of, written
from rag.documents.pdf_pages import Running, headings
from rag.documents.types import Box, Limits
from rag.errors import UnreadableDocument, in_words

_CONTROL = re.compile(r"[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # but line ends, and what marks a broken word
_BREAK = re.compile(r"[\u2010\u00ad](?=\r?\n)")  # a hyphen that was set because the line ended
_GONE = re.compile(r"[\ud800-\udfff\u00ad]")  # half a character is none, and a hyphen that was not set neither
_WIDE = re.compile(r"[\ud800-\udfff\u00ad\U00010000-\U0010ffff]")  # these, and what has two units in UTF-16
_LINE = re.compile(r"[^\r\n\x02\ufffe]+")
_WORD = re.compile(r"\S+")
_BOLD = re.compile(rb"(?i)bold|black|heavy|cmbx")
_PDFIUM = threading.Lock()  # the library is not thread-safe
_FINE = 1_000_000  # places are told in whole pixels: of a page that is so wide and so high
_MAX_HEIGHT = 4000  # pixels of a picture, however long the page
_Word = tuple[int, int, float, float, float]  # where in the raw text; where on the page: left, right, base


class Read(NamedTuple):
    """What is read of a PDF."""

    title: str  # in the metadata, or ""
    pages: list[str]  # the text of each
    headings: list[tuple[int, int, int]]  # for each line of one: its page from 0, where in its text, level from 1
    unread: list[int]  # pages from 1 that hold pictures and no text, or none but what was recognised in them


def read_pdf(data: bytes, limits: Limits) -> Read:
    """The text of every page in order, without what runs along the edges of them; lines end in newline."""
    if not data.lstrip()[:5] == b"%PDF-":
        raise UnreadableDocument("it is not a PDF, whatever its name says")
    pages, unread = [], []
    with _opened(data) as pdf:
        if len(pdf) > limits.pages:
            raise UnreadableDocument(in_words("too_many_pages", pages=len(pdf), limit=limits.pages))
        title = pdf.get_metadata_value("Title").strip()
        for number in range(len(pdf)):
            with closing(pdf[number]) as page:
                pages.append(_Sheet(page).read())
                unread += [number + 1] if not pages[-1].rows and _has_picture(page) else []
    if not any(page.rows for page in pages) and not (limits.ocr and unread):
        raise UnreadableDocument(in_words("no_text_layer"))
    running = Running(pages)
    texts = [written(page, *running.rows(number)) for number, page in enumerate(pages)]
    found = [text.whole for text in texts]
    for number in unread if limits.ocr else ():
        found[number - 1] = _CONTROL.sub(" ", recognised(page_picture(data, number, WIDTH), limits.ocr))
    return Read(title, found, [*headings(texts, running.usual)], unread)


def line_boxes(data: bytes, number: int, text: str, start: int, end: int) -> list[Box] | None:
    """Around a part of a page's text a box for each line; None where it is another text than this version reads.

    :param number: of the page, counted from 1.
    :param text: of the page, as `read_pdf` gave it: some rows at its edges may be left out.
    """
    with _opened(data) as pdf, closing(pdf[number - 1]) as page:
        sheet = _Sheet(page)
        read = sheet.read()
        if not read.rows:
            return []  # what was recognised in a picture
        some = range(MAX_OUTER + 1)
        for top, bottom in sorted(product(some, some), key=sum):
            if (found := written(read, top, bottom)).whole == text:
                return [box for span in found.spans(start, end) for box in sheet.boxes(number, *span)]
    return None


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


class _Sheet:
    """The text of a page, and where it stands there, as the page is shown: turned, and cut to what is seen."""

    def __init__(self, page: Any) -> None:
        import pypdfium2.raw

        self._page, self._pdfium = page, pypdfium2.raw
        self._text_page = page.get_textpage()
        raw = _CONTROL.sub(" ", str(self._text_page.get_text_range(errors="surrogatepass")))
        raw = _BREAK.sub(BROKEN[0], raw)
        self._units: Sequence[int] = range(len(raw))  # where each character is for pdfium, which counts in UTF-16
        if _WIDE.search(raw):
            units = accumulate((1 + (char > "\uffff") for char in raw), initial=0)
            self._units = [unit for char, unit in zip(raw, units, strict=False) if not _GONE.match(char)]
            raw = _GONE.sub("", raw)
        self.raw = raw
        self._numbers = [c_double() for _ in range(6)]
        self._origin, self._sides = [*map(byref, self._numbers[:2])], [*map(byref, self._numbers[2:])]
        self._name, self._matrix = create_string_buffer(80), pypdfium2.raw.FS_MATRIX()
        self._place = pypdfium2.PdfPosConv(page, (0, 0, _FINE, _FINE, 0)).to_bitmap
        self._turn, (left, bottom, right, top) = page.get_rotation(), page.get_bbox()
        self._corner = {0: (left, top), 90: (bottom, left), 180: (right, bottom), 270: (top, right)}[self._turn]
        self._height = right - left if self._turn % 180 else top - bottom

    def read(self) -> Page:
        """What is written there."""
        pieces = [piece for line in _LINE.finditer(self.raw) for piece in self._pieces(*line.span())]
        return Page(self.raw, rows_of(pieces), self._height)

    def _pieces(self, start: int, end: int) -> Iterator[Piece]:
        """The words of a line, joined where they stand close together."""
        words = [self._word(*word.span()) for word in _WORD.finditer(self.raw, start, end)]
        size = self._size(words) if words else 0
        held: list[_Word] = []
        for word in words:
            if held and size and word[2] - held[-1][3] > WORD_GAP * size:
                yield self._piece(held, self._size(held))
                held = []
            held.append(word)
        if held:
            yield self._piece(held, size if len(held) == len(words) else self._size(held))

    def _piece(self, words: list[_Word], size: float) -> Piece:
        first, last, longest = words[0], words[-1], max(words, key=lambda word: word[1] - word[0])
        bold = self._is_bold(first[0]) and self._is_bold(last[0])
        return Piece(first[0], last[1], first[2], last[3], longest[4], size, bold)

    def _word(self, start: int, end: int) -> _Word:
        self._pdfium.FPDFText_GetCharOrigin(self._text_page, self._at(start), *self._origin)
        self._pdfium.FPDFText_GetCharBox(self._text_page, self._at(end - 1), *self._sides)
        x, y, left, right, bottom, top = (number.value for number in self._numbers)
        begin, base = self._shown(x, y)
        return start, end, begin, max(self._shown(left, bottom)[0], self._shown(right, top)[0]), base

    def _size(self, words: list[_Word]) -> float:
        """Of the font of the longest word, in half points; 0 where it does not run from left to right."""
        at = self._at(max(words, key=lambda word: word[1] - word[0])[0])
        size, matrix = self._pdfium.FPDFText_GetFontSize(self._text_page, at), self._matrix
        self._pdfium.FPDFText_GetMatrix(self._text_page, at, byref(matrix))
        across = (matrix.a, matrix.b, -matrix.a, -matrix.b)[self._turn // 90]
        return round(2 * size * hypot(matrix.c, matrix.d)) / 2 if across > 0 else 0

    def _is_bold(self, place: int) -> bool:
        length = self._pdfium.FPDFText_GetFontInfo(self._text_page, self._at(place), self._name, 80, None)
        return 0 < length <= 80 and _BOLD.search(self._name.value) is not None

    def _at(self, place: int) -> int:
        """Which of pdfium's characters stands at a place of the raw text."""
        return int(self._pdfium.FPDFText_GetCharIndexFromTextIndex(self._text_page, self._units[place]))

    def _shown(self, x: float, y: float) -> tuple[float, float]:
        """From the left, and from the top."""
        across, down = self._corner
        match self._turn:
            case 90:
                return y - across, x - down
            case 180:
                return across - x, y - down
            case 270:
                return across - y, down - x
        return x - across, down - y

    def boxes(self, number: int, start: int, end: int) -> list[Box]:
        """Around a part of the raw text that is a line, a box; several where it stands in several places."""
        first, last = self._at(start), self._at(end - 1)
        as_shown = self._place
        boxes: list[Box] = []
        for part in range(
            self._text_page.count_rects(first, last - first + 1)
        ):  # one for each stretch that was set as one
            left, bottom, right, top = self._text_page.get_rect(part)
            (x, y), (to_x, to_y) = as_shown(left, top), as_shown(right, bottom)
            left, right, top, bottom = (min(max(0, at / _FINE), 1) for at in (*sorted((x, to_x)), *sorted((y, to_y))))
            if boxes and top < boxes[-1].bottom and boxes[-1].top < bottom:
                one = boxes.pop()
                left, top = min(left, one.left), min(top, one.top)
                right, bottom = max(right, one.right), max(bottom, one.bottom)
            boxes.append(Box(number, left, top, right, bottom))
        return [box for box in boxes if box.left < box.right and box.top < box.bottom]


def _has_picture(page: Any) -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    return next(page.get_objects([FPDF_PAGEOBJ_IMAGE]), None) is not None
