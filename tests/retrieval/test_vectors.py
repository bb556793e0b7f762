"""Kept vectors: whatever happens to the file, never a wrong one, and of the others as many as can be."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import StoreError
from rag.retrieval.embedding import Vectors
from rag.retrieval.vectors import VectorStore

DIMENSIONS = 5
ROW = 20 + 4 * DIMENSIONS + 4


def _vectors(texts: list[str], dimensions: int = DIMENSIONS) -> Vectors:
    """A vector that can be told from the text."""
    return np.array([[random.Random(f"{text!r}{i}").random() for i in range(dimensions)] for text in texts], np.float32)


def _texts(count: int) -> list[str]:
    return [f"text {i}" for i in range(count)]


def _file(folder: Path) -> Path:
    [file] = folder.glob("*.rows")
    return file


def _right(store: VectorStore, texts: list[str]) -> list[str]:
    """The texts that are known; each must have its own vector."""
    found = store.find(texts)
    for text, vector in found.items():
        np.testing.assert_array_equal(vector, _vectors([text])[0])
    return [text for text in texts if text in found]


@contextmanager
def _filled(count: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        VectorStore(Path(folder), "model").add(_texts(count), _vectors(_texts(count)))
        yield Path(folder)


# --- Kept ---------------------------------------------------------------------------------------------------------


def test_what_was_added_is_found_now_and_by_the_next_process(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors", "model")
    store.add(_texts(3), _vectors(_texts(3)))
    store.add(["more", "text 0"], _vectors(["more", "text 0"]))

    for one in (store, VectorStore(tmp_path / "vectors", "model")):
        assert _right(one, [*_texts(4), "more"]) == [*_texts(3), "more"]
        assert len(one) == 4


def test_an_empty_store_makes_no_folder(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "vectors", "model")
    store.prune([])
    store.forget_others()

    assert (len(store), store.find(["text"])) == (0, {})
    assert not (tmp_path / "vectors").exists()


@pytest.mark.parametrize("text", ["", "\x00", "\udc80 lone", "\U0001f600" * 1000, "e\u0301"])
def test_any_text_can_be_kept(tmp_path: Path, text: str) -> None:
    VectorStore(tmp_path, "model").add([text, "other"], _vectors([text, "other"]))

    assert _right(VectorStore(tmp_path, "model"), [text]) == [text]


@settings(deadline=None, max_examples=40)
@given(st.binary(min_size=4 * DIMENSIONS, max_size=4 * DIMENSIONS))
def test_what_stands_behind_a_vector_and_is_no_number_comes_back_bit_by_bit(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        VectorStore(Path(folder), "model").add(["text"], np.frombuffer(data, np.float32)[None])

        assert VectorStore(Path(folder), "model").find(["text"])["text"].tobytes() == data


@pytest.mark.parametrize("name", ["a/b", "../a", "a:int8", "a:fp32", "A", "a" * 300, "\u4e2d\u6587", ""])
def test_any_model_has_a_file_of_its_own_in_the_folder(tmp_path: Path, name: str) -> None:
    VectorStore(tmp_path / "vectors", "a").add(["text"], _vectors(["text"]))
    VectorStore(tmp_path / "vectors", name).add(["text"], -_vectors(["text"]))

    np.testing.assert_array_equal(
        VectorStore(tmp_path / "vectors", name).find(["text"])["text"], -_vectors(["text"])[0]
    )
    assert _right(VectorStore(tmp_path / "vectors", "a"), ["text"]) == ["text"]
    assert [path.name for path in tmp_path.iterdir()] == ["vectors"]
    assert len(list((tmp_path / "vectors").iterdir())) == 2


def test_a_model_that_now_has_other_dimensions_starts_anew(tmp_path: Path) -> None:
    VectorStore(tmp_path, "model").add(_texts(3), _vectors(_texts(3)))
    store = VectorStore(tmp_path, "model")

    store.add(["text 1"], _vectors(["text 1"], 7))

    assert store.find(["text 0"]) == {}
    np.testing.assert_array_equal(store.find(["text 1"])["text 1"], _vectors(["text 1"], 7)[0])


# --- Dropped ------------------------------------------------------------------------------------------------------


def test_pruning_keeps_what_is_asked_for_and_shrinks_the_file(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, "model")
    store.add(_texts(9), _vectors(_texts(9)))

    store.prune(["text 2", "text 7", "never seen"])

    for one in (store, VectorStore(tmp_path, "model")):
        assert _right(one, _texts(9)) == ["text 2", "text 7"]
    assert _file(tmp_path).stat().st_size == 2 * ROW


def test_pruning_nothing_away_does_not_write(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, "model")
    store.add(_texts(3), _vectors(_texts(3)))
    before = _file(tmp_path).stat()

    store.prune(_texts(5))

    assert (_file(tmp_path).stat().st_ino, _file(tmp_path).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_after_pruning_more_can_be_added(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, "model")
    store.add(_texts(9), _vectors(_texts(9)))
    store.prune(["text 2"])

    store.add(["text 5"], _vectors(["text 5"]))

    assert _right(VectorStore(tmp_path, "model"), _texts(9)) == ["text 2", "text 5"]


def test_the_files_of_other_models_go_and_its_own_stays(tmp_path: Path) -> None:
    for name in ("one", "other"):
        VectorStore(tmp_path, name).add(_texts(2), _vectors(_texts(2)))
    (tmp_path / "half.rows.new").touch()

    VectorStore(tmp_path, "one").forget_others()

    assert len(list(tmp_path.iterdir())) == 1
    assert _right(VectorStore(tmp_path, "one"), _texts(2)) == _texts(2)


# --- Damaged ------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(0, 6 * ROW))
def test_a_file_that_was_cut_off_keeps_its_whole_rows_and_takes_more(count: int, size: int) -> None:
    with _filled(count) as folder:
        size = min(size, count * ROW)
        _file(folder).write_bytes(_file(folder).read_bytes()[:size])

        store = VectorStore(folder, "model")
        whole = size // ROW
        assert _right(store, _texts(count)) == _texts(whole)
        store.add(["more"], _vectors(["more"]))
        assert _right(VectorStore(folder, "model"), [*_texts(count), "more"]) == [*_texts(whole), "more"]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 6 * ROW * 8 - 1))
def test_a_flipped_bit_costs_one_vector(bit: int) -> None:
    with _filled(6) as folder:
        data = bytearray(_file(folder).read_bytes())
        data[bit // 8] ^= 1 << bit % 8
        _file(folder).write_bytes(data)

        known = _right(VectorStore(folder, "model"), _texts(6))
        assert known == [text for i, text in enumerate(_texts(6)) if i != bit // 8 // ROW]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=4 * ROW), st.integers(0, 5), st.booleans())
def test_garbage_in_the_file_never_becomes_a_vector(garbage: bytes, at: int, instead: bool) -> None:
    with _filled(6) as folder:
        data = _file(folder).read_bytes()
        end = at * ROW + len(garbage) if instead else at * ROW
        _file(folder).write_bytes(data[: at * ROW] + garbage + data[end:])

        store = VectorStore(folder, "model")
        assert _right(store, _texts(6))[:at] == _texts(at)
        store.add(["more"], _vectors(["more"]))
        assert _right(VectorStore(folder, "model"), ["more"]) == ["more"]


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _made_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [_emptied, Path.unlink, _made_a_folder])
def test_without_its_file_nothing_is_known_and_nothing_breaks_at_reading(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    VectorStore(tmp_path, "model").add(_texts(3), _vectors(_texts(3)))
    damage(_file(tmp_path))

    store = VectorStore(tmp_path, "model")

    assert (len(store), store.find(_texts(3))) == (0, {})


def test_what_cannot_be_kept_is_said_with_the_folder_and_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "vectors").write_text("in the way")

    with pytest.raises(StoreError, match=r"vectors.*rag ingest"):
        VectorStore(tmp_path / "vectors", "model").add(["text"], _vectors(["text"]))
