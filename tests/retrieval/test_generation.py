"""A generation: verified before it is read, sealed, and the same whether it was built anew or from another."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from rag import StoreError
from rag.documents.splitting import split
from rag.documents.types import Document, Passage
from rag.retrieval import chroma
from rag.retrieval.chroma import DenseIndex
from rag.retrieval.disk import digest
from rag.retrieval.embedding import Embedder
from rag.retrieval.generation import FORMAT, MANIFEST, Damaged, Generation, Manifest, NewGeneration, Outdated, _sealed
from rag.retrieval.retriever import HybridRetriever
from rag.retrieval.types import Vectors
from tests.fakes import HashingEmbeddings

EMBEDDER = Embedder(HashingEmbeddings())
PLANTS = "oak elm ash fir yew box bay fig sedge fern moss reed heath lime pear plum".split()


def _documents(numbers: Sequence[int], version: int = 1) -> list[Document]:
    def text(number: int) -> str:
        chance = random.Random(f"{number} {version}")
        return "\n\n".join(
            f"# Part {part}\n\nThe {' '.join(chance.choices(PLANTS, k=9))} d{number}." for part in range(2)
        )

    return [Document(f"d{number}.md", f"Title {number}", text(number)) for number in numbers]


def _write(path: Path, documents: Sequence[Document], known: Generation | None = None) -> Generation:
    passages = [passage for document in documents for passage in split(document)]
    manifest = Manifest(EMBEDDER.name, EMBEDDER.dimensions, "splitter", chroma.VERSION, {}, {}, 0, EMBEDDER.probe)
    NewGeneration(documents, passages, _rows(passages), manifest).write(path, known)
    return Generation(path)


def _rows(passages: Sequence[Passage]) -> Vectors:
    """Vectors, and behind each 12 bytes that can be told from the text and are no numbers."""
    texts = [passage.embedding_text for passage in passages]
    behind = [hashlib.sha256(text.encode()).digest()[:8] + b"\xff\xff\xff\xff" for text in texts]
    return np.hstack([EMBEDDER.texts(texts), np.frombuffer(b"".join(behind), np.float32).reshape(len(texts), 3)])


def _answers(generation: Generation) -> list[object]:
    retriever = HybridRetriever(generation, EMBEDDER)
    queries = [*PLANTS, "d3", "d17", "oak d5 moss", "Title 4 fern fern"]
    return [
        [(hit.text, hit.source, hit.start, round(hit.score, 5), hit.dense_rank) for hit in retriever.search(query, 8)]
        for query in queries
    ]


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    return _write(tmp_path / "gen-000001", _documents(range(20)))


# --- Verified -----------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_again(generation: Generation) -> None:
    documents = _documents(range(20))
    generation.load()

    assert list(generation.documents.values()) == documents
    assert generation.passages == [passage for document in documents for passage in split(document)]
    assert generation.manifest.passages == generation.dense.size == len(generation.passages) == 40
    assert generation.loaded
    assert generation.flaw() is None
    generation.close()


def test_the_rows_of_passages_are_what_was_written_bit_by_bit_in_any_order(generation: Generation) -> None:
    passages, chance = generation.passages, random.Random(2)

    for positions in ([], [0], [39, 0, 39, 7], chance.sample(range(40), 40)):
        some = [passages[position] for position in positions]
        assert generation.rows(positions).tobytes() == b"".join(_rows([one]).tobytes() for one in some)
        assert generation.rows(positions).shape == (len(positions), EMBEDDER.dimensions + 3)
        assert generation.vectors(some).shape == (len(positions), EMBEDDER.dimensions)
    assert np.array_equal(generation.vectors(passages), EMBEDDER.texts([one.embedding_text for one in passages]))


def test_every_file_but_the_manifest_has_its_digest_in_the_manifest(generation: Generation) -> None:
    files = {path for path in generation.path.rglob("*") if path.is_file() and path.name != MANIFEST}

    assert {generation.path / name for name in generation.manifest.digests or {}} == files
    assert len(files) >= 12
    assert generation.path / "embedded.rows" in files


@pytest.mark.slow
def test_one_flipped_bit_anywhere_is_found_before_anything_is_read(generation: Generation) -> None:
    chance = random.Random(3)
    for file in sorted(path for path in generation.path.rglob("*") if path.is_file() and path.stat().st_size):
        whole = file.read_bytes()
        for _ in range(5):
            data = bytearray(whole)
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            file.write_bytes(data)
            with pytest.raises((Damaged, Outdated)):  # another version, where the flip made its number another
                Generation(generation.path)
        file.write_bytes(whole)
    Generation(generation.path)


DAMAGES = {
    "deleted": Path.unlink,
    "emptied": lambda file: file.write_bytes(b""),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:-4]),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"\0" * 4),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_lost_file_or_part_of_one_is_found(generation: Generation, damage: Callable[[Path], object]) -> None:
    for name in generation.manifest.digests or {}:
        file = generation.path / name
        whole = file.read_bytes()
        if not whole:
            continue
        damage(file)
        with pytest.raises(Damaged, match=file.name):
            Generation(generation.path)
        assert file.name in (generation.flaw() or "")
        file.write_bytes(whole)
    assert generation.flaw() is None


def test_without_a_manifest_it_is_unfinished(generation: Generation) -> None:
    (generation.path / MANIFEST).unlink()

    with pytest.raises(FileNotFoundError):
        Generation(generation.path)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"format": %d}' % FORMAT, b"{" * 10_000])
def test_a_manifest_that_is_none_is_damage(generation: Generation, data: bytes) -> None:
    (generation.path / MANIFEST).write_bytes(data)

    with pytest.raises(Damaged, match="manifest"):
        Generation(generation.path)


def test_a_manifest_is_sealed(generation: Generation) -> None:
    """Who changes a word of it without the seal is found out; who changes a file with it, too."""
    file = generation.path / MANIFEST
    line, seal = file.read_bytes().splitlines()
    file.write_bytes(line.replace(b'"failed": {}', b'"failed": {"a.md": "no"}') + b"\n" + seal + b"\n")

    with pytest.raises(Damaged, match="manifest"):
        Generation(generation.path)


@pytest.mark.parametrize("field", ["chroma", "format"])
def test_what_another_version_wrote_is_outdated_not_damaged(generation: Generation, field: str) -> None:
    file = generation.path / MANIFEST
    file.write_bytes(_sealed({**json.loads(file.read_bytes().splitlines()[0]), field: 1}))

    with pytest.raises(Outdated):
        Generation(generation.path).load()


# --- Code in a collection -----------------------------------------------------------------------------------------


def _name_a_function(file: Path, column: str, named: object) -> None:
    database = sqlite3.connect(file)
    [[text]] = database.execute(f"select {column} from collections").fetchall()
    fields = json.loads(text or "{}")
    if column == "schema_str":
        fields["keys"]["#embedding"]["float_list"]["vector_index"]["config"]["embedding_function"] = named
    else:
        fields["embedding_function"] = named
    database.execute(f"update collections set {column} = ?", [json.dumps(fields)])
    database.commit()
    database.close()


@pytest.mark.parametrize("column", ["schema_str", "config_json_str"])
@pytest.mark.parametrize("named", [{"type": "known", "name": "sentence_transformer", "config": {}}, "default", {}])
def test_a_collection_that_names_code_is_damage_though_its_digests_are_right(
    generation: Generation, column: str, named: object
) -> None:
    _name_a_function(generation.path / "chroma" / "chroma.sqlite3", column, named)
    fields = json.loads((generation.path / MANIFEST).read_bytes().splitlines()[0])
    fields["digests"] = {name: digest(generation.path / name) for name in fields["digests"]}
    (generation.path / MANIFEST).write_bytes(_sealed(fields))

    with pytest.raises(Damaged, match="tampered"):
        Generation(generation.path)


@pytest.mark.parametrize("data", [b"", b"no database", None])
def test_what_is_no_collection_has_a_flaw_and_is_left_as_it_is(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "chroma.sqlite3").write_bytes(data)

    assert "no collection" in (chroma.flaw(tmp_path) or "")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if data is None else [data])


# --- Searched in a copy -------------------------------------------------------------------------------------------


def test_searching_changes_nothing_of_what_was_written(generation: Generation) -> None:
    before = {path: digest(path) for path in generation.path.rglob("*") if path.is_file()}

    _answers(generation)
    generation.close()

    assert {path: digest(path) for path in generation.path.rglob("*") if path.is_file()} == before
    assert [path.name for path in generation.path.parent.iterdir()] == ["gen-000001"]


def test_a_loaded_generation_answers_when_its_folder_is_gone(generation: Generation) -> None:
    generation.load()
    before = _answers(generation)
    shutil.rmtree(generation.path)

    assert _answers(generation) == before
    assert generation.rows([3, 1]).tobytes() == _rows([generation.passages[i] for i in (3, 1)]).tobytes()
    generation.close()


def _overwritten(file: Path) -> None:
    file.write_bytes(b"\xff" * file.stat().st_size)


def _halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("damage", [_overwritten, _halved, lambda file: file.write_bytes(b"")])
def test_a_loaded_generation_answers_whatever_happens_to_its_files(
    generation: Generation, damage: Callable[[Path], object]
) -> None:
    generation.load()
    before = _answers(generation)
    for file in [path for path in generation.path.rglob("*") if path.is_file()]:
        damage(file)

    assert _answers(generation) == before
    generation.close()


def test_copies_of_dead_processes_are_swept_and_those_in_use_stay(generation: Generation, tmp_path: Path) -> None:
    (tmp_path / "open-dead").mkdir()
    generation.load()

    chroma.sweep(tmp_path)

    assert len(list(tmp_path.glob("open-*"))) == 1
    assert _answers(generation)
    generation.close()
    assert not list(tmp_path.glob("open-*"))


def test_where_no_folder_can_be_written_the_error_says_so(generation: Generation, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no room for a working copy"):
        DenseIndex(generation.path / "chroma", [tmp_path / "missing", tmp_path / "gone"])


def test_a_torn_graph_does_not_find_itself(generation: Generation, tmp_path: Path) -> None:
    """Chroma says nothing when it lost vectors; a write is not trusted before they were found."""
    ids = [passage.text_id for passage in generation.passages]
    folder = shutil.copytree(generation.path / "chroma", tmp_path / "torn")
    dense = DenseIndex(folder, [tmp_path])

    assert dense.finds_itself(ids)
    dense.vectors = lambda some: np.roll(DenseIndex.vectors(dense, some), 1, axis=1)  # type: ignore[method-assign]
    assert not dense.finds_itself(ids)
    dense.close()


# --- From another -------------------------------------------------------------------------------------------------

CHANGES = {
    "nothing": _documents(range(20)),
    "one added": _documents(range(21)),
    "one edited": [*_documents(range(19)), *_documents([19], version=2)],
    "one removed": _documents(range(1, 20)),
    "turned round": _documents(range(20))[::-1],
    "some of each": [*_documents(range(1, 19)), *_documents([19], version=3), *_documents([30])],
    "most": [*_documents(range(4)), *_documents(range(40, 60))],
}


@pytest.mark.slow
@pytest.mark.parametrize("documents", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_built_from_another_answers_as_what_is_built_anew(
    generation: Generation, tmp_path: Path, documents: list[Document]
) -> None:
    updated = _write(tmp_path / "gen-000002", documents, generation)
    anew = _write(tmp_path / "anew", documents)

    assert updated.passages == anew.passages
    assert updated.dense.size == anew.dense.size == len(anew.passages)
    assert _answers(updated) == _answers(anew)
    for one in (updated, anew):
        one.close()


@pytest.mark.slow
def test_a_long_row_of_updates_answers_as_what_is_built_anew(generation: Generation, tmp_path: Path) -> None:
    chance, numbers, known = random.Random(5), set(range(20)), generation
    for step in range(8):
        numbers = (numbers - {chance.choice(sorted(numbers))}) | {50 + step}
        known = _write(tmp_path / f"gen-{step + 2:06d}", _documents(sorted(numbers)), known)
    anew = _write(tmp_path / "anew", _documents(sorted(numbers)))

    assert _answers(known) == _answers(anew)
    for one in (known, anew):
        one.close()


@pytest.mark.slow
def test_churn_adds_up_until_a_fifth_has_changed_and_the_graph_is_built_anew(
    generation: Generation, tmp_path: Path
) -> None:
    """Each document has 2 passages, all have 40: up to 8 may have come or gone."""
    churn, known, numbers = [], generation, count(2)
    for last in (21, 22, 23, 24, 25):
        known = _write(tmp_path / f"gen-{next(numbers):06d}", _documents(range(last)), known)
        churn.append(known.manifest.churn)

    assert generation.manifest.churn == 0
    assert churn[:4] == [2, 4, 6, 8]
    assert churn[4] in (0, 10)  # a fifth of what there is by now is more
    for last in range(26, 33):
        known = _write(tmp_path / f"gen-{next(numbers):06d}", _documents(range(last)), known)
        churn.append(known.manifest.churn)
        assert known.manifest.churn <= 0.2 * known.manifest.passages
    assert 0 in churn


def test_what_was_damaged_since_it_was_opened_is_not_built_upon(
    generation: Generation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation.load()
    [file] = generation.path.glob("chroma/*/data_level0.bin")
    file.write_bytes(bytes(file.stat().st_size))

    def refuse(*_: object) -> None:
        raise AssertionError("Chroma was given the damaged files")

    monkeypatch.setattr(chroma, "update", refuse)
    written = _write(tmp_path / "gen-000002", _documents(range(21)), generation)

    assert written.manifest.churn == 0
    assert len(_answers(written)) == len(PLANTS) + 4
    for one in (generation, written):
        one.close()


def test_a_digest_of_a_sealed_line_is_its_second_line() -> None:
    line, seal = _sealed({"a": 1}).splitlines()

    assert (json.loads(line), seal.decode()) == ({"a": 1}, hashlib.blake2b(line, digest_size=20).hexdigest())
