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
_HIDDEN = ""  # the reason of these
_OURS = {".starters.json", ".gitignore", ".gitkeep"}  # hidden files that are no surprise


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
            known = ", ".join(SUFFIXES)
            raise CorpusError(f"There are no documents in {self.path}. Put files in ({known}), then try again.")
        return found

    def found(self) -> dict[str, FileStamp]:
        """The same; nothing where there is no folder."""
        excluded = self.excluded()
        seen = [(s, i) for s, i in self._walk() if not isinstance(i, str) and s not in excluded]
        return {source: (info.st_size, info.st_mtime_ns) for source, info in sorted(seen)}

    def left_out(self) -> list[tuple[str, str]]:
        """What is no document though it is there, and why; hidden files are counted only."""
        reasons = sorted((source, why) for source, why in self._walk() if isinstance(why, str))
        hidden = [source for source, why in reasons if why == _HIDDEN and source not in _OURS]
        told = [(ascii(source)[1:-1] if why == "not_utf8" else source, in_words(why)) for source, why in reasons if why]
        return [*told, *([(hidden[0], in_words("hidden", count=len(hidden)))] if hidden else [])]

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

    def _walk(self) -> Iterator[tuple[str, os.stat_result | str]]:
        """Sources and what the system tells of them, or the name of the reason why one is left out.

        Without a Path for each, as this is done before each answer.
        """
        root, folders = self.path.resolve(), [(str(self.path), "")]
        while folders:
            folder, below = folders.pop()
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        yield f"{below}{entry.name}", _counted(entry, root)
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


def _counted(entry: os.DirEntry[str], root: Path) -> os.stat_result | str:
    """What the system tells of a file; the name of a reason where it does not count as a document."""
    if entry.name.startswith(_LEFT_OUT):
        return _HIDDEN
    if entry.path.encode(errors="ignore").decode() != entry.path:
        return "not_utf8"
    try:
        info = entry.stat()
        outside = entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root)
    except OSError:  # a link in a circle or to nowhere, or a file that has just gone
        return "leads_out"
    return "leads_out" if outside else info if stat.S_ISREG(info.st_mode) else "not_regular"


def _files(path: Path) -> Iterator[tuple[Path, Path]]:
    """A file, or each file below a folder, with the name that it gets below the corpus."""
    if not path.is_dir():
        if not path.is_file():
            raise CorpusError(f"{path}: {in_words('not_regular')}. Nothing was copied.")
        yield path, Path(path.name.lstrip("".join(_LEFT_OUT)) or "unnamed")  # it was asked for: hide it no more
        return
    inside = Corpus(path, path / ".none")  # nothing is excluded there
    for source, why in inside.left_out():
        log.warning("%s/%s: %s", path, source, why)
    for source in inside.found():
        if source.lower().endswith(SUFFIXES):
            yield path / source, Path(path.resolve().name) / source
