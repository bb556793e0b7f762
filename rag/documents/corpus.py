"""The corpus folder: which files are documents, how files come in, and how they go to the trash."""

import filecmp
import hashlib
import json
import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rag.documents.readers import SUFFIXES
from rag.errors import CorpusError, in_words

log = logging.getLogger(__name__)

_LEFT_OUT = (".", "~$")  # how hidden files, and those that an open office program leaves, begin


FileStamp = tuple[int, int]  # size and mtime in ns: what tells at a glance whether a file changed


class Corpus:
    """A folder of documents; the data folder remembers what was excluded, and folders `apart` hold none."""

    def __init__(self, path: Path, data_dir: Path, *apart: Path) -> None:
        self.path = path
        self._data, self._list = data_dir, data_dir / "excluded.json"
        self._apart = {folder.resolve() for folder in (data_dir, *apart)}

    def stamps(self) -> dict[str, FileStamp]:
        """Every file that counts as a document, by source, in alphabetical order; a CorpusError if there is none.

        Left out: names that begin with a dot or `~$`, links that lead out, what is no regular file or was excluded.
        """
        if not self.path.is_dir():
            raise CorpusError(f"There is no folder {self.path}. Create it and put documents in, or set RAG_CORPUS_DIR.")
        found = self.found()
        if not found:
            raise CorpusError(f"There are no documents in {self.path}. Put .txt, .md or .pdf files in, then try again.")
        return found

    def found(self) -> dict[str, FileStamp]:
        """The same; nothing where there is no folder."""
        excluded = self.excluded()
        return {s: (i.st_size, i.st_mtime_ns) for s, i in sorted(self._walk()) if s not in excluded}

    def sources(self) -> set[str]:
        """The sources of `stamps`; none where there is no folder."""
        return set(self.found())

    def digest(self, source: str) -> str:
        """SHA-256 of a file's bytes; "" for one that cannot be opened."""
        try:
            with (self.path / source).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""  # reading it will say why, and that reason is reported

    def copy_in(self, paths: Sequence[Path]) -> list[str]:
        """Copy files, and the readable files of folders, into the corpus; the sources that they got.

        The same content under the same name is not copied again; a name taken by other content gets a suffix.
        """
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise CorpusError(f"There is no {', '.join(missing)}. Nothing was copied. Check the path.")
        self.path.mkdir(parents=True, exist_ok=True)
        sources = [self._copy(file, name) for path in paths for file, name in _files(path)]
        self._exclude(self.excluded() - set(sources))
        return sources

    def trash(self, source: str) -> Path:
        """Move a document's file into the data folder's trash; where it is now."""
        target = self._data / "trash" / time.strftime("%Y%m%d-%H%M%S") / source
        while target.exists():
            target = target.with_name("_" + target.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.path / source, target)
        return target

    def exclude(self, source: str) -> None:
        """Leave the file, and never take it as a document again, until it is copied in anew."""
        self._exclude(self.excluded() | {source})

    def excluded(self) -> set[str]:
        """What is left out by the user's wish."""
        try:
            return set(json.loads(self._list.read_text("utf-8"))) if self._list.exists() else set()
        except (OSError, ValueError, TypeError) as error:
            raise CorpusError(in_words("excluded_damaged", file=self._list, error=error)) from error

    def _exclude(self, sources: set[str]) -> None:
        if sources or self._list.exists():
            self._data.mkdir(parents=True, exist_ok=True)
            beside = self._list.with_suffix(".new")
            beside.write_text(json.dumps(sorted(sources), indent=1) + "\n", "utf-8")
            beside.replace(self._list)

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        """Sources and what the system tells of them; without a Path for each, as this is done before each answer."""
        root, folders = self.path.resolve(), [(str(self.path), "")]
        while folders:
            folder, below = folders.pop()
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        if info := _counted(entry, root):
                            yield f"{below}{entry.name}", info
                    elif not entry.name.startswith(".") and Path(entry.path).resolve() not in self._apart:
                        folders.append((entry.path, f"{below}{entry.name}/"))

    def _copy(self, file: Path, name: Path) -> str:
        root = self.path.resolve()
        if file.resolve().is_relative_to(root):
            return file.resolve().relative_to(root).as_posix()
        target, number = self.path / name, 1
        while target.exists() and not (target.is_file() and filecmp.cmp(target, file, shallow=False)):
            number += 1
            target = self.path / name.with_name(f"{name.stem}-{number}{name.suffix}")
        if not target.exists():
            beside = target.with_name(f".{target.name}.part")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, beside)
                beside.replace(target)
            except OSError as error:
                beside.unlink(missing_ok=True)
                raise CorpusError(in_words("not_copied", file=file, target=target, why=error.strerror)) from error
        return target.relative_to(self.path).as_posix()


def _counted(entry: os.DirEntry[str], root: Path) -> os.stat_result | None:
    """What the system tells of a file; None where it does not count as a document."""
    if entry.name.startswith(_LEFT_OUT):
        return None
    if entry.path.encode(errors="ignore").decode() != entry.path:
        log.warning("%a is left out: its name is not UTF-8. Rename it.", entry.path)
        return None
    try:
        info = entry.stat()
        outside = entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root)
    except OSError:  # a link in a circle or to nowhere, or a file that has just gone
        return None
    return info if stat.S_ISREG(info.st_mode) and not outside else None


def _files(path: Path) -> Iterator[tuple[Path, Path]]:
    """A file, or each file below a folder, with the name that it gets below the corpus."""
    if path.is_file():
        yield path, Path(path.name.lstrip("".join(_LEFT_OUT)) or "unnamed")  # it was asked for: hide it no more
        return
    for file in sorted(path.rglob("*")):
        below = file.relative_to(path)
        known = file.suffix.lower() in SUFFIXES
        if known and file.is_file() and not any(part.startswith(_LEFT_OUT) for part in below.parts):
            yield file, Path(path.resolve().name) / below
