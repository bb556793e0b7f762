"""From a file to a Document: one reader for each format, chosen by the file's suffix."""

import os
import re
import stat
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from rag.documents.office import read_docx, read_pptx, read_xlsx
from rag.documents.pdf import Read, read_pdf
from rag.documents.structure import blocks, first_heading
from rag.documents.tables import read_csv
from rag.documents.types import Document, Limits
from rag.documents.web import read_epub, read_html
from rag.errors import CorpusError, EmptyDocument, UnreadableDocument, UnsupportedFormat, in_words

_BINARY_MAGIC = (b"\x7fELF", b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b", b"MZ\x90")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
_MAX_CONTROL_SHARE = 0.05  # above it a file is taken for binary; real texts with stray NULs stay far below
_MAX_TITLE_CHARS = 200
_NAMED_PAGES = 10  # of those without text
# Titles that programs give to what has none.
_PLACEHOLDER = re.compile(
    r"(?:(?:microsoft|word|excel|powerpoint|untitled|document|presentation|unknown|title|index|home|page)\b[ -]*)+\d*",
    re.IGNORECASE,
)


def read(path: Path, source: str, limits: Limits) -> Document:
    """The document in this file, or the CorpusError that says why there is none."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(SUFFIXES)
        raise UnsupportedFormat(f"{path.suffix or 'a file without suffix'} is not a known format; known are {known}")
    try:
        document = reader(source, _bytes_of(path, limits.file_mb * 1_000_000), limits)
    except (CorpusError, MemoryError):
        raise
    except Exception as error:  # a parser fails on a damaged file in any way, and its words help no reader
        known = in_words("damaged", suffix=path.suffix.lower(), why=type(error).__name__)
        raise UnreadableDocument(known) from error
    if len(document.text) > limits.chars:
        raise UnreadableDocument(in_words("too_long", limit=limits.chars))
    if not _INVISIBLE.sub("", document.text):
        raise EmptyDocument("there is no text in it")
    return document


def clean(text: str) -> str:
    """Line ends as newline; control characters, but tab and newline, as spaces one for one."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def decode(data: bytes) -> str:
    """The text in these bytes: by byte-order mark, else UTF-8, else the likeliest older encoding."""
    text = "" if (is_binary := data.startswith(_BINARY_MAGIC)) else _decoded(data)
    if is_binary or len(_CONTROL.findall(text.replace("\r", ""))) > _MAX_CONTROL_SHARE * len(text):
        raise UnreadableDocument("the file is binary, not text; save it as text, or give it its own suffix")
    return text


def _decoded(data: bytes) -> str:
    from charset_normalizer import from_bytes
    from charset_normalizer.utils import identify_sig_or_bom

    with suppress(UnicodeDecodeError):
        return data.decode(identify_sig_or_bom(data)[0] or "utf-8").removeprefix("\ufeff")
    best = from_bytes(data, cp_isolation=["gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251"]).best()
    # Windows-1252 leaves five bytes undefined; Latin-1 reads anything, and the share of controls then decides.
    return str(best) if best is not None else data.decode("cp1252", "replace")


def _bytes_of(path: Path, max_bytes: int) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe must not make us wait
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise UnreadableDocument("it is no regular file")
            if info.st_size > max_bytes:
                raise UnreadableDocument(in_words("too_large", size=info.st_size / 1e6, limit=max_bytes / 1e6))
            return file.read(max_bytes)
    except OSError as error:
        raise UnreadableDocument(f"it cannot be opened: {error.strerror or error}") from error


def _read_text(source: str, data: bytes, limits: Limits) -> Document:
    text = clean(decode(data))
    first, _, rest = text.lstrip("\n").partition("\n")
    is_title = 0 < len(first.strip()) < _MAX_TITLE_CHARS and not rest.partition("\n")[0].strip() and rest != ""
    return Document(source, first.strip() if is_title else Path(source).stem, text)


def _read_markdown(source: str, data: bytes, limits: Limits) -> Document:
    text = clean(decode(data))
    return Document(source, first_heading(text) or Path(source).stem, text)


def _read_pdf(source: str, data: bytes, limits: Limits) -> Document:
    found = read_pdf(data, limits)
    *starts, _ = accumulate((len(page) + 1 for page in found.pages), initial=0)
    headings = tuple((starts[page] + start, level) for page, start, level in found.headings)
    read = Document(source, found.title, "\n".join(found.pages), tuple(starts), headings, _told_of(found, limits))
    if read.title:
        return read
    return replace(read, title=next((b.sections[-1] for b in blocks(read) if b.sections), Path(source).stem))


def _told_of(found: Read, limits: Limits) -> str:
    pages = ", ".join(map(str, found.unread[:_NAMED_PAGES])) + (" ..." if len(found.unread) > _NAMED_PAGES else "")
    return in_words("recognised" if limits.ocr else "scanned", pages=pages) if found.unread else ""


def _marked(parse: Callable[[bytes, Limits], tuple[str, list[str]]]) -> Callable[[str, bytes, Limits], Document]:
    """A reader of what a parser turns into a title, or "", and Markdown page by page."""

    def read_marked(source: str, data: bytes, limits: Limits) -> Document:
        with warnings.catch_warnings(action="ignore"):  # parsers tell of what they skip
            title, found = parse(data, limits)
        pages = [clean(page) for page in found]
        text, title = "".join(pages), " ".join(clean(title).split())
        title = "" if _PLACEHOLDER.fullmatch(title) else title
        *starts, _ = accumulate(map(len, pages), initial=0)
        suffix = Path(source).suffix.lower()  # a sheet's name is not the file's, and only slides are pages
        title = title or (first_heading(text) if suffix != ".xlsx" else "") or Path(source).stem
        return Document(source, title, text, tuple(starts) if suffix == ".pptx" else ())

    return read_marked


_READERS = {
    ".csv": _marked(read_csv),
    ".docx": _marked(read_docx),
    ".epub": _marked(read_epub),
    ".htm": _marked(read_html),
    ".html": _marked(read_html),
    ".markdown": _read_markdown,
    ".md": _read_markdown,
    ".pdf": _read_pdf,
    ".pptx": _marked(read_pptx),
    ".tsv": _marked(read_csv),
    ".txt": _read_text,
    ".xlsx": _marked(read_xlsx),
}
SUFFIXES = tuple(_READERS)
IN_PROCESS = (".md", ".markdown", ".txt")  # plain text needs no parser that could break down
