"""The corpus and its index, kept in step: opens the generation in use, notices changes, brings them in.

Safe to use from many threads. A generation that was handed out stays usable while the next one takes over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from rag.documents.corpus import Corpus, FileStamp
from rag.errors import CorpusError, EmbedderMismatch, IndexBusy, IndexMissing, StoreError
from rag.retrieval.embedding import Embedder
from rag.retrieval.generation import Generation
from rag.retrieval.index import IndexFolder
from rag.retrieval.ingest import Ingestion, Progress, check_embedder, file_digests, same_make
from rag.retrieval.types import IngestReport
from rag.settings import Settings

log = logging.getLogger(__name__)

_WAIT_S = 600  # for another process that is writing


class Keeper:
    """Keeps one index in step with one folder of documents."""

    def __init__(self, settings: Settings, embedder: Embedder, progress: Progress) -> None:
        self.corpus = Corpus(settings.corpus_dir, settings.data_dir)
        self.folder = IndexFolder(settings.index_dir)
        self._embedder = embedder
        self._auto_ingest = settings.auto_ingest
        self._ingestion = Ingestion(self.corpus, self.folder, embedder, settings.max_file_mb * 1_000_000, progress)
        self._lock = threading.RLock()
        self._open: Generation | None = None
        self._in_step_with: dict[str, FileStamp] | None = None  # the files as they were when last compared

    def ready(self) -> Generation:
        """The generation to answer from: built when missing, brought up to date when the corpus changed.

        :raises IndexMissing: there is none, and building one is not allowed.
        :raises EmbedderMismatch: it was built with another model.
        """
        with self._lock:
            if self._auto_ingest:
                self._bring_up_to_date()
            path = self.folder.current()
            if path is None:
                raise IndexMissing(f"There is no index at {self.folder.path}. Run `rag ingest` to build it.")
            generation = self._opened(path)
        check_embedder(generation, self._embedder, self.folder.path)
        return generation

    def peek(self) -> Generation | None:
        """The generation in use, if there is one; builds and changes nothing."""
        with self._lock:
            path = self.folder.current()
            return self._opened(path) if path else None

    def ingest(self, paths: Sequence[Path] = (), rebuild: bool = False, wait_s: float = _WAIT_S) -> IngestReport:
        """Copy what comes from outside into the corpus, then bring the index in step with it."""
        if paths:
            self.corpus.copy_in(paths)
        stamps = self.corpus.stamps()
        report = self._ingestion.run(rebuild, wait_s)
        with self._lock:
            self._in_step_with = stamps
        return report

    def delete(self, source: str, keep_file: bool = False) -> None:
        """Take a document out of the index; its file goes to the trash, or stays and is never indexed again."""
        generation = self.peek()
        if source not in self.corpus.sources() | set(generation.documents if generation else ()):
            raise CorpusError(f"There is no document {source!r}. `rag list` shows what there is.")
        if keep_file:
            self.corpus.exclude(source)
        elif self.corpus.file(source).exists():
            self.corpus.trash(source)
        try:
            self.ingest()
        except CorpusError:  # nothing is left that can be read: no index is better than one that still finds it
            with self._lock, self.folder.writing(_WAIT_S):
                self.folder.clear()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            if self._open:
                self._open.close()
            self._open = None

    def _bring_up_to_date(self) -> None:
        stamps = self.corpus.stamps()
        path = self.folder.current()
        if path and stamps == self._in_step_with:
            return
        if path and self._is_in_step(path, stamps):
            self._in_step_with = stamps
            return
        try:
            for source, reason in self.ingest(wait_s=0 if path else _WAIT_S).failed:
                log.warning("%s is left out: %s", source, reason)
        except IndexBusy:
            log.info("Another process is bringing the index up to date; answering from what there is.")
        except EmbedderMismatch:
            raise
        except StoreError as error:
            if path is None:
                raise
            log.warning("%s", error)

    def _is_in_step(self, path: Path, stamps: dict[str, FileStamp]) -> bool:
        try:
            manifest = self._opened(path).manifest
        except StoreError:  # damaged: the ingest says so, and builds it anew
            return False
        return same_make(manifest) and file_digests(self.corpus, stamps, manifest) == manifest.files

    def _opened(self, path: Path) -> Generation:
        if self._open is None or self._open.path != path:
            fresh = Generation(path)
            _ = fresh.dense  # opened now: later its folder may be gone
            self._open = fresh  # the one before closes itself when the last thread that reads it is done
        return self._open
