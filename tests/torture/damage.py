"""Every file of an index deleted, halved, emptied, flipped, overwritten, replaced by a folder; and one made by hand."""

from __future__ import annotations

import json
import logging
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rag import IndexMissing, RagError
from rag.retrieval.disk import digest
from rag.retrieval.generation import MANIFEST, _sealed
from tests.torture.bench import (
    Figures,
    Place,
    State,
    brought_in,
    current,
    faults,
    must,
    outcome,
    some,
    spy_on_chroma,
    state,
    texts,
)

# In each corpus, the generation before the current one holds d1 and d3, and the current one another version of d3.
SMALL = {**state(30), **state(1, version=2, first=3)}
LARGE = {**state(351), **state(1, version=2, first=3)}
BEFORE = {"d3.md": state(1, first=3)["d3.md"]}

Deed = Callable[[Path], None]  # what is done to a file or folder


# --- Deeds --------------------------------------------------------------------------------------------------------


def deleted(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """One bit, anywhere; files that are empty get a byte."""
    data = bytearray(path.read_bytes() or b"\0")
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def overwritten(path: Path) -> None:
    path.write_bytes(random.randbytes(max(100, path.stat().st_size)))


def made_a_folder(path: Path) -> None:
    deleted(path)
    (path / "inner").mkdir(parents=True)


def made_a_file(path: Path) -> None:
    deleted(path)
    path.write_bytes(b"no folder")


FILE_DEEDS: tuple[Deed, ...] = (deleted, halved, emptied, flipped, flipped, overwritten, made_a_folder)
FOLDER_DEEDS: tuple[Deed, ...] = (deleted, made_a_file)


def _targets(place: Place, mine: bool) -> list[tuple[str, Deed]]:
    """What can be damaged, by its path below the index; `mine` are the files that we write, else Chroma's."""
    generation = current(place)
    if not mine:
        below = sorted((generation / "chroma").rglob("*"))
    else:
        below = [path for path in sorted(generation.rglob("*")) if "chroma" not in path.relative_to(generation).parts]
        below += [generation, generation / "chroma", place.index / "CURRENT", place.index / "LOCK"]
        below += [place.index / "vectors", *(place.index / "vectors").iterdir()]
    return [
        (path.relative_to(place.index).as_posix(), deed)
        for path in below
        for deed in (FOLDER_DEEDS if path.is_dir() else FILE_DEEDS)
        if not (deed is halved and path.stat().st_size < 2)
    ]


# --- What is asked of an index afterwards -------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A damage, and what there is to fall back to."""

    target: str  # below the index folder
    deed: Deed
    fallback: bool
    auto_ingest: bool

    def __str__(self) -> str:
        return (
            f"{self.target} {self.deed.__name__}, {'with' if self.fallback else 'without'} one to fall back to, "
            f"auto_ingest {self.auto_ingest}"
        )

    def strike(self, place: Place, now: State) -> list[str]:
        """Damage a copy of an index; what goes wrong."""
        if not self.fallback:
            for path in place.generations:
                if path != current(place):
                    shutil.rmtree(path)
        damaged, inode = current(place), current(place).stat().st_ino
        inside = self.target.startswith("gen-")
        before = _fingerprint(place.index / self.target)
        self.deed(place.index / self.target)
        harmless = before == _fingerprint(place.index / self.target)
        gone = not (damaged / MANIFEST).exists() and not self.fallback  # nothing that could be damaged is there
        must_be_told = inside and not harmless and not gone
        wrong = outcome(lambda: self._look(place, now, inode if must_be_told else 0))
        wrong += brought_in(place, now)
        return wrong + (outcome(lambda: _looks_sound(place)) if self.auto_ingest else [])

    def _look(self, place: Place, now: State, damaged: int) -> list[str]:
        """What is wrong with the answers; the damaged one (its inode) must not be opened, and must be told of."""
        opened, warned = spy_on_chroma(), _warnings()
        wrong = []
        with place.rag(self.auto_ingest) as rag:
            try:
                held = texts(rag)
                expected = now if self.auto_ingest or held == now else {**now, **BEFORE}
                wrong += faults(rag, expected)
                if held != now and not warned:
                    wrong.append("an older state is served without a word")
            except RagError as error:
                if self.auto_ingest:
                    wrong.append(f"no answer: {error}")
            told = rag.repairs()
        if damaged:
            wrong += ["Chroma was let near it"] * opened.count(damaged)
            if not told or not warned:
                wrong.append("nothing was said")
        return wrong


def _fingerprint(path: Path) -> object:
    if path.is_dir():
        return [(file.relative_to(path), _fingerprint(file)) for file in sorted(path.rglob("*")) if file.is_file()]
    return digest(path) if path.exists() else None


def _warnings() -> list[str]:
    """What the log says from here on, as a list that grows."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("rag").addHandler(handler)
    return said


def _looks_sound(place: Place) -> list[str]:
    with place.rag() as rag:
        rag.search("berth")
        return [f"damage is told of a second time: {told}" for told in rag.repairs()]


# --- The part -----------------------------------------------------------------------------------------------------


def template(root: Path, now: State) -> Place:
    """An index of two generations."""
    place = Place(root)
    for held in ({**now, **BEFORE}, now):
        place.put(held)
        must(lambda: _ingest(place))
    return place


def _ingest(place: Place) -> None:
    with place.rag() as rag:
        rag.ingest()


THREE = ((True, True), (False, False), (False, True))  # whether there is one to fall back to, and auto_ingest


def _cases(place: Place, mine: bool) -> Iterator[Case]:
    for target, deed in _targets(place, mine):
        for fallback, auto in THREE if mine else THREE[:2]:
            yield Case(target, deed, fallback, auto)


def torture(root: Path, short: bool = False) -> Figures:
    random.seed(20)
    figures = Figures("damage")
    small, large = template(root / "small", SMALL), template(root / "large", SMALL if short else LARGE)
    for what, place, now, mine in (
        ("our own files", small, SMALL, True),
        ("Chroma's files", large, large.held(), False),
    ):
        for case in some(list(_cases(place, mine)), 5 if short else None):
            figures.add(what, [f"{case}: {one}" for one in case.strike(place.copied(root / "struck"), now)])
    for auto in (True, False):
        figures.add("an index that names code to run", outcome_of_tampering(small.copied(root / "struck"), auto))
    for name in _OTHER:
        for deed in (flipped,) if short else (deleted, emptied, flipped):
            wrong = _OTHER[name](small.copied(root / "struck"), deed)
            figures.add("damage after other changes", [f"{name}, {deed.__name__}: {one}" for one in wrong])
    return figures


# --- Longer stories -----------------------------------------------------------------------------------------------


def outcome_of_tampering(place: Place, auto_ingest: bool) -> list[str]:
    """Someone who can write the index names an embedding function in it, and seals it again."""
    generation = current(place)
    shutil.rmtree(next(path for path in place.generations if path != generation))
    named = json.dumps({"type": "known", "name": "sentence_transformer", "config": {"model_name": "/tmp/evil"}})
    wrong = []
    for column in ("config_json_str", "schema_str"):
        copy = place.copied(place.root.with_name("tampered"))
        tampered = current(copy)
        _name_a_function(tampered / "chroma" / "chroma.sqlite3", column, json.loads(named))
        _seal_again(tampered)
        wrong += outcome(lambda c=copy, t=tampered: _look_at_tampered(c, t, auto_ingest))
        wrong += brought_in(copy, SMALL)
        changed = place.copied(place.root.with_name("tampered"))  # and now one that an ingest would build upon
        _name_a_function(current(changed) / "chroma" / "chroma.sqlite3", column, json.loads(named))
        _seal_again(current(changed))
        changed.put({**SMALL, **state(1, version=6)})
        wrong += outcome(lambda c=changed: _look_at_tampered(c, current(c), True))
    return wrong


def _name_a_function(file: Path, column: str, named: object) -> None:
    with sqlite3.connect(file) as database:
        [[text]] = database.execute(f"select {column} from collections").fetchall()
        fields = json.loads(text or "{}")
        if column == "config_json_str":
            fields["embedding_function"] = named
        else:
            index = fields["keys"]["#embedding"]["float_list"]["vector_index"]
            index["config"]["embedding_function"] = named
        database.execute(f"update collections set {column} = ?", [json.dumps(fields)])
    database.close()


def _seal_again(generation: Path) -> None:
    fields = json.loads((generation / MANIFEST).read_bytes().splitlines()[0])
    fields["digests"] = {name: digest(generation / name) for name in fields["digests"]}
    (generation / MANIFEST).write_bytes(_sealed(fields))


def _look_at_tampered(place: Place, tampered: Path, auto_ingest: bool) -> list[str]:
    inode, opened = tampered.stat().st_ino, spy_on_chroma()
    wrong = []
    with place.rag(auto_ingest) as rag:
        try:
            wrong += faults(rag, place.held())
            if not auto_ingest:
                wrong.append("it was served")
        except IndexMissing:
            wrong += ["it was not built anew"] * auto_ingest
        told = rag.repairs()
    if not any("tampered" in one for one in told):
        wrong.append(f"what was said is {told}")
    return wrong + ["Chroma was let near it"] * opened.count(inode)


def _whole_folder(place: Place, deed: Deed) -> list[str]:
    """While a server has it open, the index folder goes, or all that is in it is damaged."""

    def look() -> list[str]:
        with place.rag() as rag:
            rag.search("berth")
            if deed is deleted:
                shutil.rmtree(place.index)
            else:
                for file in [path for path in place.index.rglob("*") if path.is_file()]:
                    deed(file)
            return faults(rag, SMALL)

    return outcome(look) + brought_in(place, SMALL)


def _changed_since(place: Place, deed: Deed) -> list[str]:
    """The older generation takes over, but the corpus went on meanwhile."""
    now = {**SMALL, **state(2, version=5), **state(1, first=70)}
    place.put(now)
    deed(current(place) / "passages.jsonl")
    return brought_in(place, now)


def _deleted_since(place: Place, deed: Deed) -> list[str]:
    """What was deleted is not to come back with an older generation."""
    must(lambda: _delete(place, "d1.md"))
    deed(current(place) / "documents.jsonl")

    def look() -> list[str]:
        with place.rag(auto_ingest=False) as rag:
            try:
                return [f"d1 is back: {hit.text}" for hit in rag.search("berth d1p0v1", k=100) if hit.source == "d1.md"]
            except RagError:
                return []

    return outcome(look) + brought_in(place, {source: text for source, text in SMALL.items() if source != "d1.md"})


def _delete(place: Place, source: str) -> None:
    with place.rag() as rag:
        rag.delete(source)


def _all_generations(place: Place, deed: Deed) -> list[str]:
    """No generation is sound: an error where nothing may be built, else answers."""
    for generation in place.generations:
        deed(generation / "lexical" / "terms.txt")

    def look() -> list[str]:
        with place.rag(auto_ingest=False) as rag:
            return [f"answered {rag.search('berth')}"]

    wrong = [one for one in outcome(look) if "IndexMissing" not in one]
    return wrong + brought_in(place, SMALL)


def _under_a_server(place: Place, deed: Deed, spared: str = "") -> list[str]:
    """Damage comes after a server has opened the index, and before the next change builds upon it."""
    now = {**SMALL, **state(1, version=6)}

    def look() -> list[str]:
        with place.rag() as rag:
            rag.search("berth")
            inode, opened = current(place).stat().st_ino, spy_on_chroma()
            for file in [path for path in current(place).rglob("*") if path.is_file() and path.name != spared]:
                deed(file)
            wrong = faults(rag, SMALL)
            place.put(now)
            return wrong + faults(rag, now) + ["Chroma was let near it"] * opened.count(inode)

    return outcome(look) + brought_in(place, now)


_OTHER: dict[str, Callable[[Place, Deed], list[str]]] = {
    "whole folder": _whole_folder,
    "changed since": _changed_since,
    "deleted since": _deleted_since,
    "all generations": _all_generations,
    "under a server": _under_a_server,
    "under a server, unseen": partial(_under_a_server, spared=MANIFEST),
}
