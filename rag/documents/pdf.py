"""The text of a PDF, page by page: the one home of pypdfium2."""

import re
import threading
from contextlib import closing
from typing import Any

from rag.errors import UnreadableDocument

_HYPHEN_AT_LINE_END = re.compile(r"[\x02\ufffe]\r?\n?")  # pdfium marks a word that it saw broken
_PDFIUM = threading.Lock()  # the library is not thread-safe


def read_pdf(data: bytes) -> tuple[str, list[str]]:
    """The title in the metadata, or "", and the text of every page in order; lines end in newline."""
    import pypdfium2

    if not data.lstrip()[:5] == b"%PDF-":
        raise UnreadableDocument("it is not a PDF, whatever its name says")
    with _PDFIUM:
        try:
            with pypdfium2.PdfDocument(data) as pdf:
                title = pdf.get_metadata_value("Title").strip()
                pages = [_page_text(pdf, number) for number in range(len(pdf))]
        except pypdfium2.PdfiumError as error:
            raise UnreadableDocument(f"the PDF cannot be read: {error}") from error
    if not any(page.strip() for page in pages):
        raise UnreadableDocument("the PDF has no text layer; it may be a scan. Run it through OCR first")
    return title, pages


def _page_text(pdf: Any, number: int) -> str:
    with closing(pdf[number]) as page:
        text = page.get_textpage().get_text_range()
    return _HYPHEN_AT_LINE_END.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
