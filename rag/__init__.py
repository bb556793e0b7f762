"""Ask a folder of documents, and get answers whose every sentence can be checked.

Names are loaded at their first use: `import rag` itself reads nothing else and takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answering.types import (  # isort: skip
        Answer, Answerer, Citation, Done, ModelState, Retrieved, Said, Searching, Sentence, Support,
    )  # fmt: skip
    from rag.documents.types import Box, Document, Passage
    from rag.engine import Rag
    from rag.errors import (  # isort: skip
        ConfigError, CorpusError, DatasetError, EmbedderMismatch, EmptyDocument, IndexBusy, IndexMissing, ModelError,
        ModelTimeout, ModelUnavailable, RagError, ReceiptError, StoreError, UnreadableDocument, UnsupportedFormat,
    )  # fmt: skip
    from rag.retrieval.types import DocumentInfo, Hit, IngestReport
    from rag.settings import Settings

__version__ = "0.1.0"

_HOMES = "errors", "settings", "documents.types", "retrieval.types", "answering.types", "engine"  # the quick ones first

__all__ = [
    "Answer", "Answerer", "Box", "Citation", "ConfigError", "CorpusError", "DatasetError", "Document", "DocumentInfo",
    "Done", "EmbedderMismatch", "EmptyDocument", "Hit", "IndexBusy", "IndexMissing", "IngestReport", "ModelError",
    "ModelState", "ModelTimeout", "ModelUnavailable", "Passage", "Rag", "RagError", "ReceiptError", "Retrieved", "Said",
    "Searching", "Sentence", "Settings", "StoreError", "Support", "UnreadableDocument", "UnsupportedFormat",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for home in _HOMES if name in __all__ else ():
        if hasattr(module := import_module(f"rag.{home}"), name):
            return getattr(module, name)
    raise AttributeError(f"module 'rag' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
