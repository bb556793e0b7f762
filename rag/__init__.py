"""Ask a folder of documents, and get answers whose every sentence can be checked.

Names are loaded at their first use: `import rag` itself reads nothing else and takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.types import Answer, Answerer, Citation, Done, Retrieved, Said, Searching, Sentence, Support
    from rag.documents.types import Document, Passage
    from rag.engine import Rag
    from rag.errors import (  # isort: skip
        ConfigError, CorpusError, DatasetError, EmbedderMismatch, EmptyDocument, IndexBusy, IndexMissing, ModelError,
        ModelTimeout, ModelUnavailable, RagError, ReceiptError, StoreError, UnreadableDocument, UnsupportedFormat,
    )  # fmt: skip
    from rag.retrieval.types import DocumentInfo, Hit, IngestReport
    from rag.settings import Settings

__version__ = "0.1.0"

_HOMES = {
    "rag.answering.types": "Answer Answerer Citation Done Retrieved Said Searching Sentence Support",
    "rag.documents.types": "Document Passage",
    "rag.engine": "Rag",
    "rag.errors": "ConfigError CorpusError DatasetError EmbedderMismatch EmptyDocument IndexBusy IndexMissing"
    " ModelError ModelTimeout ModelUnavailable RagError ReceiptError StoreError UnreadableDocument UnsupportedFormat",
    "rag.retrieval.types": "DocumentInfo Hit IngestReport",
    "rag.settings": "Settings",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Answer", "Answerer", "Citation", "ConfigError", "CorpusError", "DatasetError", "Document", "DocumentInfo",
    "Done", "EmbedderMismatch", "EmptyDocument", "Hit", "IndexBusy", "IndexMissing", "IngestReport", "ModelError",
    "ModelTimeout", "ModelUnavailable", "Passage", "Rag", "RagError", "ReceiptError", "Retrieved", "Said",
    "Searching", "Sentence", "Settings", "StoreError", "Support", "UnreadableDocument", "UnsupportedFormat",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
