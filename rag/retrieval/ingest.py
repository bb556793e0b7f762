"""Bring the index in step with the corpus: read, split, embed, write, switch.

What did not change is taken over from the generation in use, and no text is embedded that ever was. Nothing is
changed in place: when a step fails, or nothing is new, the old generation goes on serving.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from rag.documents.corpus import Corpus, FileStamp
from rag.documents.splitting import SPLITTER
from rag.documents.types import Document, Limits
from rag.errors import CorpusError, EmbedderMismatch, StoreError, in_words
from rag.retrieval import chroma
from rag.retrieval.embedding import PROBE, Embedder
from rag.retrieval.generation import FORMAT, Generation, Manifest, NewGeneration
from rag.retrieval.index import IndexFolder
from rag.retrieval.intake import Files, Intake, Progress, Rows, alike, take_in
from rag.retrieval.types import IngestReport, Vectors
from rag.retrieval.vectors import VectorStore

WAIT_S = 600  # for another process that is writing
Documents = dict[str, Document]  # by source


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One corpus, one index folder, one embedder."""

    corpus: Corpus
    folder: IndexFolder
    embedder: Embedder
    limits: Limits
    progress: Progress

    def run(self, rebuild: bool = False, wait_s: float = WAIT_S) -> IngestReport:
        """Bring the index in step; `rebuild` takes nothing over but vectors of the same texts.

        :raises CorpusError: no folder, no files, or none that can be read.
        :raises EmbedderMismatch: the index was built with another model, and this is no rebuild.
        :raises IndexBusy: another process is still writing after `wait_s`.
        :raises StoreError: the index cannot be written.
        """
        started = time.perf_counter()
        with self.folder.writing(wait_s), ExitStack() as after:
            after.callback(self.progress, "", 0, 0)  # nothing more is being done
            stamps = self.corpus.stamps()  # now: another may have taken documents out while we waited
            old = self.folder.open(load=False)
            embedder = matching(old, self.embedder) if old and not rebuild else self.embedder
            known = old if old and not rebuild and same_make(old.manifest) else None
            files = file_digests(self.corpus, stamps, known.manifest if known else None)
            rows = Rows(self.folder.vectors, embedder)
            intake = take_in(self.corpus, files, known, self.limits, rows, self.progress)
            if not intake.documents:
                reasons = "; ".join(f"{source}: {reason}" for source, reason in list(intake.failed.items())[:5])
                raise CorpusError(f"None of the {len(files)} files in {self.corpus.path} can be used ({reasons}).")
            report = _compared(old.documents if old else {}, intake)
            if known and intake.failed == known.manifest.failed and _digests(files) == _digests(known.manifest.files):
                passages = known.manifest.passages
            else:
                passages = self._build(intake, files, known, rows, embedder)
            notes = *self.corpus.left_out(), *noticed(intake.documents, intake.failed, files)
        took_s = time.perf_counter() - started
        return replace(report, notes=notes, passages=passages, embedded=rows.embedded, seconds=took_s)

    def forget_removed(self) -> None:
        """Leave nothing of documents that are no longer in the index: no older generation, and no vectors."""
        with self.folder.writing(WAIT_S):
            self.folder.drop_others()
            generation = self.folder.open(load=False)
            if generation is None:
                shutil.rmtree(self.folder.vectors, ignore_errors=True)
                return
            store = VectorStore(self.folder.vectors, generation.manifest.embedder)
            store.prune([PROBE, *(passage.embedding_text for passage in generation.passages)])
            store.forget_others()

    def _build(self, intake: Intake, files: Files, known: Generation | None, rows: Rows, embedder: Embedder) -> int:
        """Write a new generation and switch to it; how many passages it has."""
        documents, passages = list(intake.documents.values()), list(chain(*intake.passages.values()))
        if not passages:
            raise CorpusError(f"None of the {len(files)} files in {self.corpus.path} holds any text but marks.")
        vectors = rows.of([passage.embedding_text for passage in passages], self.progress)
        made = embedder.name, embedder.dimensions, SPLITTER, chroma.VERSION
        manifest = Manifest(*made, files, intake.failed, len(passages), embedder.probe, limits=asdict(self.limits))
        _check_space(self.folder.path, documents, vectors, embedder.dimensions)
        generation = self.folder.next()
        try:
            self.progress("writing", 0, len(passages))
            NewGeneration(documents, passages, vectors, manifest).write(generation, known)
            self.folder.switch(generation)
        except (OSError, StoreError) as error:
            raise StoreError(in_words("not_written", path=self.folder.path, error=error)) from error
        finally:
            if self.folder.current() != generation:
                shutil.rmtree(generation, ignore_errors=True)  # unfinished: nothing points at it
        return len(passages)


def matching(generation: Generation, embedder: Embedder) -> Embedder:
    """The embedder that the generation was built with, at its precision; else an EmbedderMismatch."""
    built_with = generation.manifest.embedder
    own = embedder.named(built_with)
    if own is not None and alike(generation.manifest.probe, own.probe):
        return own
    used = embedder.name if embedder.name != built_with else f"another version of {built_with}"
    folder = generation.path.parent
    raise EmbedderMismatch(in_words("other_embedder", folder=folder, built_with=built_with, used=used))


def file_digests(corpus: Corpus, stamps: Mapping[str, FileStamp], known: Manifest | None) -> Files:
    """Each file with its digest; a file whose size and time are as they were is not read again."""
    found = {}
    for source, stamp in stamps.items():
        *before, digest = known.files.get(source, ("",)) if known else ("",)
        found[source] = (*stamp, (tuple(before) == stamp and digest) or corpus.digest(source))
    return found


def same_files(files: Files, manifest: Manifest) -> bool:
    """Whether a generation was built from these very files."""
    now = _digests(files)
    return all(now.values()) and now == _digests(manifest.files)


def _digests(files: Files) -> dict[str, str]:
    return {source: digest for source, (_, _, digest) in files.items()}


def _check_space(folder: Path, documents: Sequence[Document], rows: Vectors, dimensions: int) -> None:
    """:raises StoreError: a generation would not fit: better said now than found out halfway."""
    # Measured on 20,000 passages: 1.7 times the vectors, for Chroma, and 2.2 times the text, with its postings.
    chroma_bytes = 1.8 * rows[:, :dimensions].nbytes
    needed = rows.nbytes + chroma_bytes + 2.3 * sum(len(document.text) for document in documents) + 500_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(in_words("no_room", path=folder, needed=needed / 1e6, free=free / 1e6))


def same_make(manifest: Manifest) -> bool:
    """Whether a generation was made by this version of the splitter, of Chroma and of the format."""
    return (manifest.format, manifest.splitter, manifest.chroma) == (FORMAT, SPLITTER, chroma.VERSION)


def noticed(documents: Documents, failed: Mapping[str, str], files: Files) -> list[tuple[str, str]]:
    """What was noticed about files that were read: which are the same, and what the reader says."""
    read = {files[source][2]: source for source in documents}
    same = [source for source in files if source not in documents and source not in failed]
    notes = {source: in_words("same_file", other=read.get(files[source][2], "another that failed")) for source in same}
    notes |= {source: document.note for source, document in documents.items() if document.note}
    return sorted(notes.items())


def _compared(old: Documents, intake: Intake) -> IngestReport:
    new, failed = intake.documents, intake.failed
    kept = sorted(new.keys() & old.keys())
    updated = tuple(source for source in kept if new[source] != old[source])
    unchanged = tuple(source for source in kept if new[source] == old[source])
    added, removed = tuple(sorted(new.keys() - old.keys())), tuple(sorted(old.keys() - new.keys()))
    return IngestReport(added, updated, unchanged, removed, tuple(failed.items()))
