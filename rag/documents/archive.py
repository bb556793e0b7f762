"""What a .docx, .pptx, .xlsx or .epub is as a file: a ZIP archive, looked over before anything in it is unpacked."""

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from rag.documents.types import Limits
from rag.errors import UnreadableDocument, in_words

_OLE2 = b"\xd0\xcf\x11\xe0"  # Office before 2007, and what newer versions encrypt into
_KINDS = {"word/": ".docx", "ppt/": ".pptx", "xl/": ".xlsx", "META-INF/container.xml": ".epub"}
_SMALL_BYTES = 1_000_000  # unpacked; below, the ratio does not matter


def opened(data: bytes, suffix: str, limits: Limits) -> ZipFile:
    """The archive, if it holds what its suffix says and costs no more than the limits; else UnreadableDocument."""
    if data.startswith(_OLE2):
        raise UnreadableDocument(in_words("protected"))
    try:
        archive = ZipFile(BytesIO(data))
    except (BadZipFile, ValueError, NotImplementedError) as error:
        known = in_words("zip_damaged" if data.startswith(b"PK") else "other_format", suffix=suffix)
        raise UnreadableDocument(known) from error
    files = archive.infolist()
    if len(files) > limits.zip_entries:
        raise UnreadableDocument(in_words("zip_entries", count=len(files), limit=limits.zip_entries))
    size, packed = sum(f.file_size for f in files), sum(f.compress_size for f in files) or 1
    if size > limits.zip_mb * 1_000_000:
        raise UnreadableDocument(in_words("zip_size", size=size / 1e6, limit=limits.zip_mb))
    if size > _SMALL_BYTES and size > limits.zip_ratio * packed:
        raise UnreadableDocument(in_words("zip_ratio", ratio=size / packed, limit=limits.zip_ratio))
    if any(file.flag_bits & 1 for file in files):
        raise UnreadableDocument(in_words("protected"))
    found = {kind for file in files for start, kind in _KINDS.items() if file.filename.startswith(start)}
    if suffix not in found:
        name = "misnamed" if found else "other_format"
        raise UnreadableDocument(in_words(name, suffix=suffix, real=", ".join(sorted(found))))
    return archive
