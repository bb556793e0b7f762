"""Everything that can go wrong outside the caller's control, as one tree.

    RagError
      ConfigError
      CorpusError      UnsupportedFormat, UnreadableDocument, EmptyDocument
      StoreError       IndexMissing, IndexBusy, EmbedderMismatch
      ModelError       ModelUnavailable, ModelTimeout
      DatasetError
      ReceiptError

A caller's mistake (an empty question, k below 1) is a ValueError and is not part of the tree.
Every message says what happened, to what, and what to do next; the longer ones are in errors.toml.
"""

import tomllib
from functools import cache
from pathlib import Path


class RagError(Exception):
    """The root: catch this to catch all that the library raises about the world."""


class ConfigError(RagError):
    """A setting names something that is not there or cannot be used."""


class CorpusError(RagError):
    """The folder of documents, or one document in it, cannot be used."""


class UnsupportedFormat(CorpusError):
    """No reader for this kind of file."""


class UnreadableDocument(CorpusError):
    """The file is of a known kind, but its text cannot be had."""


class EmptyDocument(CorpusError):
    """The file was read and holds no text."""


class StoreError(RagError):
    """The index on disk cannot be used as it is."""


class IndexMissing(StoreError):
    """There is no index yet, and building one was not allowed."""


class IndexBusy(StoreError):
    """Another process is writing to the index."""


class EmbedderMismatch(StoreError):
    """The index was built with another embedding model than the one configured."""


class ModelError(RagError):
    """A model, of language or of embeddings, did not do its work."""


class ModelUnavailable(ModelError):
    """The model cannot be reached or loaded."""


class ModelTimeout(ModelError):
    """The model did not answer in time."""


class DatasetError(RagError):
    """A set of questions to evaluate with, or a file of results, is missing or malformed."""


class ReceiptError(RagError):
    """A receipt is missing, damaged, or cannot be written."""


def in_words(name: str, /, **values: object) -> str:
    """The message of this name, with these values in it."""
    return _messages()[name].format(**values)


@cache
def _messages() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("errors.toml").read_text("utf-8"))
