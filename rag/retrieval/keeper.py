"""The corpus and its index, kept in step: opens the generation in use, notices changes, brings them in.

Safe to use from many threads. A generation that was handed out stays usable while the next one takes over.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from rag.documents.corpus import Corpus, FileStamp
from rag.documents.types import Limits
from rag.errors import CorpusError, EmbedderMismatch, IndexBusy, IndexMissing, StoreError
from rag.retrieval.embedding import Embedder
from rag.retrieval.generation import Generation
from rag.retrieval.index import IndexFolder
from rag.retrieval.ingest import WAIT_S, Ingestion, file_digests, matching, same_files, same_make
from rag.retrieval.intake import Progress
from rag.retrieval.types import IngestReport
from rag.settings import Settings

log = logging.getLogger(__name__)


class Keeper:
    """Keeps one index in step with one folder of documents."""

    def __init__(self, settings: Settings, embedder: Embedder, progress: Progress) -> None:
        self.corpus = Corpus(settings.corpus_dir, settings.data_dir, settings.index_dir)
        self.folder = IndexFolder(settings.index_dir)
        self.patience_s: float | None = None  # for changed documents, while an older index can answer; None: endless
        self.doing: tuple[str, int, int] | None = None  # what an ingest does now, how much is done, of how much
        self._embedder = embedder
        self._auto_ingest = settings.auto_ingest
        numbers = {one.name: getattr(settings, f"max_{one.name}") for one in fields(Limits) if one.name != "ocr"}
        limits = Limits(**numbers, ocr=settings.ocr)
        self._ingestion = Ingestion(self.corpus, self.folder, embedder, limits, self._tell)
        self._progress = progress
        self._lock = threading.RLock()
        self._copying = threading.Lock()  # two files of one name must not take it both
        self._in_step: tuple[Path | None, dict[str, FileStamp]] | None = None  # what was last found equal
        self._bringing: Future[None] | None = None
        self._begun = 0.0  # when, on the monotonic clock

    def ready(self) -> Generation:
        """The generation to answer from: built when missing, brought up to date when the corpus changed."""
        if self._auto_ingest:
            self._bring_up_to_date()
        generation = self.folder.open()
        if generation is None:
            raise IndexMissing(f"There is no readable index at {self.folder.path}. Run `rag ingest` to build it.")
        matching(generation, self._embedder)
        return generation

    def ingest(self, paths: Sequence[Path] = (), rebuild: bool = False, wait_s: float = WAIT_S) -> IngestReport:
        """Copy what comes from outside into the corpus, then bring the index in step with it."""
        if paths:
            with self._copying:
                self.corpus.copy_in(paths)
        stamps = self.corpus.stamps()
        report = self._ingestion.run(rebuild, wait_s)
        self._in_step = self.folder.current(), stamps
        return report

    def delete(self, source: str, keep_file: bool = False) -> None:
        """Take a document out of the index; its file goes to the trash, or stays and is never indexed again."""
        generation = self.folder.open()
        if source not in self.corpus.sources() | set(generation.documents if generation else ()):
            raise CorpusError(f"There is no document {source!r}. `rag list` shows what there is.")
        if generation:
            matching(generation, self._embedder)  # before the file is moved
        if keep_file:
            self.corpus.exclude(source)
        elif (self.corpus.path / source).exists():
            self.corpus.trash(source)
        try:
            self.ingest()
        except CorpusError:  # nothing is left that can be read: no index is better than one that still finds it
            with self.folder.writing(WAIT_S):
                self.folder.clear()
        self._ingestion.forget_removed()
        generation = self.folder.open()
        if generation and generation.holds(source):
            raise StoreError(f"{source} can still be found in {generation.path}. Run `rag ingest --rebuild`.")

    def _tell(self, what: str, done: int, total: int) -> None:
        self.doing = (what, done, total) if what else None
        self._progress(what, done, total)

    def _bring_up_to_date(self) -> None:
        """Have changed documents brought in, waiting as long as we have patience."""
        if self.patience_s is None or self.folder.current() is None:
            with self._lock:
                self._bring_in()
            return
        with self._lock:
            if self._bringing is None or self._bringing.done():
                self._bringing, self._begun = _in_background(self._bring_in), time.monotonic()
            bringing, left_s = self._bringing, self._begun + self.patience_s - time.monotonic()
        with suppress(TimeoutError):  # the index that there is answers meanwhile
            bringing.result(max(0.0, left_s))

    def _bring_in(self) -> None:
        stamps = self.corpus.stamps()
        generation = self.folder.open()
        if generation and ((generation.path, stamps) == self._in_step or self._is_in_step(generation, stamps)):
            self._in_step = generation.path, stamps
            return
        try:
            for source, reason in self.ingest(wait_s=0 if generation else WAIT_S).failed:
                log.warning("%s is left out: %s", source, reason)
        except IndexBusy:
            log.info("Another process is bringing the index up to date; answering from what there is.")
        except StoreError as error:
            if generation is None or isinstance(error, EmbedderMismatch):
                raise
            log.warning("%s", error)

    def _is_in_step(self, generation: Generation, stamps: dict[str, FileStamp]) -> bool:
        manifest = generation.manifest
        return same_make(manifest) and same_files(file_digests(self.corpus, stamps, manifest), manifest)


def _in_background(work: Callable[[], None]) -> Future[None]:
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
            future.set_result(None)
        except BaseException as error:  # whoever still waits for the result gets it
            log.warning("%s", error)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()  # a kill at the end of the program does no harm
    return future
