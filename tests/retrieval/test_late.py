"""Late interaction against its definition, and what a row keeps of a passage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieval.late import WINDOW, WINDOWS, interaction, packed, unit
from rag.retrieval.minilm import MiniLM
from rag.retrieval.types import Vectors

DIMENSIONS = 384
slow = pytest.mark.slow


def _states(tokens: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((tokens, DIMENSIONS)).astype(np.float32)


def _vector(seed: int = 0) -> Vectors:
    vector: Vectors = unit(_states(1, seed))[0]
    return vector


def _windows(row: Vectors) -> Vectors:
    """The windows of a row, (WINDOWS, DIMENSIONS), as they were before they became bytes, nearly."""
    return row[DIMENSIONS:].view(np.int8).reshape(WINDOWS, DIMENSIONS).astype(np.float32) / 254


def _means(states: Vectors) -> list[Vectors]:
    """The unit mean of each WINDOW neighbours, of the first WINDOWS."""
    pieces = [states[at : at + WINDOW].mean(axis=0) for at in range(0, len(states), WINDOW)][:WINDOWS]
    return [piece / np.linalg.norm(piece) for piece in pieces]


# --- Packed -------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300))
def test_a_row_is_the_vector_and_the_unit_means_of_16_neighbours(tokens: int) -> None:
    states, vector = _states(tokens, tokens), _vector(tokens)
    row, means = packed(vector, states), _means(states)

    assert (row.dtype, row.shape) == (np.float32, (DIMENSIONS + WINDOWS * DIMENSIONS // 4,))
    assert np.array_equal(row[:DIMENSIONS], vector)
    assert _windows(row)[: len(means)] == pytest.approx(np.array(means), abs=0.5 / 254 + 1e-6)
    assert not _windows(row)[len(means) :].any()


def test_of_a_passage_longer_than_12_windows_the_first_12_are_kept() -> None:
    states = _states(256)

    whole, *others = [packed(_vector(), states[:tokens]).tobytes() for tokens in (256, 192, 191)]
    assert [other == whole for other in others] == [True, False]


def test_a_value_too_large_for_a_byte_is_as_large_as_a_byte_can_be() -> None:
    states = np.zeros((WINDOW, DIMENSIONS), dtype=np.float32)
    states[:, 0], states[:, 1] = 1, -1

    [largest, smallest, *others] = _windows(packed(_vector(), states))[0]
    assert (largest, smallest) == (0.5, -0.5)
    assert not any(others)


def test_states_of_zeros_give_windows_of_zeros() -> None:
    assert not _windows(packed(_vector(), np.zeros((40, DIMENSIONS), dtype=np.float32))).any()


# --- Interaction --------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 260), min_size=1, max_size=5), st.integers(1, 9))
def test_it_is_the_mean_over_the_tokens_of_the_cosine_to_the_nearest_window(lengths: list[int], asked: int) -> None:
    tokens = unit(_states(asked, 99))
    passages = [_states(length, length) for length in lengths]
    rows = np.stack([packed(_vector(), states) for states in passages])

    expected = []
    for states in passages:
        windows = _means(states)
        if len(windows) < WINDOWS:
            windows.append(np.zeros(DIMENSIONS, dtype=np.float32))  # what is left of the 12 is as far as unrelated text
        expected.append(np.mean([max(float(token @ window) for window in windows) for token in tokens]))

    assert interaction(tokens, rows) == pytest.approx(np.array(expected), abs=0.005)


def test_a_passage_is_as_near_as_can_be_to_its_own_windows_and_the_order_of_tokens_does_not_matter() -> None:
    rows = np.stack([packed(_vector(), _states(192, seed)) for seed in range(4)])
    tokens = unit(np.array(_means(_states(192, 2))))

    found = interaction(tokens, rows)

    assert found.argmax() == 2
    assert found[2] == pytest.approx(1, abs=0.01)
    assert interaction(tokens[::-1].copy(), rows) == pytest.approx(found, abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from([b"", b"\0" * 40, b"\xff" * 40, b"\x7f\x80" * 40]))
def test_the_bytes_of_windows_are_taken_as_bytes_whatever_float_they_would_be(seed: int, first: bytes) -> None:
    data = first + np.random.default_rng(seed).bytes(WINDOWS * DIMENSIONS - len(first))
    row = np.concatenate([_vector(), np.frombuffer(data, np.float32)])
    tokens = unit(_states(3))

    expected = (np.frombuffer(data, np.int8).reshape(WINDOWS, -1).astype(np.float32) @ tokens.T / 254).max(axis=0)
    assert interaction(tokens, row[None]) == pytest.approx([expected.mean()], abs=1e-4)


def test_without_tokens_or_rows_there_is_nothing_to_compare() -> None:
    rows, none = np.stack([packed(_vector(), _states(20))] * 3), np.zeros((0, DIMENSIONS), dtype=np.float32)

    assert interaction(none, rows).tolist() == [0, 0, 0]
    assert interaction(none, none).tolist() == []
    assert interaction(unit(_states(2)), rows[:0]).tolist() == []
    assert interaction(none, np.zeros((3, DIMENSIONS), dtype=np.float32)).tolist() == [0, 0, 0]  # a foreign model's


# --- Of the real model --------------------------------------------------------------------------------------------

BREAD = "The bakery on the lane sells rye bread and wheat loaves from early in the morning. "
HARBOUR = "The harbour master Maud Ferrier collects fees from sailing boats at the quay. "
TEXTS = ["", "a", HARBOUR, BREAD * 3, BREAD * 40, "杭州有多少人？", "\ud800"]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> MiniLM:
    return MiniLM(tmp_path_factory.mktemp("kept"))


@slow
def test_rows_begin_with_the_vectors_and_do_not_depend_on_each_other(minilm: MiniLM) -> None:
    rows = minilm.rows(TEXTS)

    assert rows.shape == (len(TEXTS), DIMENSIONS + WINDOWS * DIMENSIONS // 4)
    assert np.array_equal(rows[:, :DIMENSIONS], minilm.vectors(TEXTS))
    for text, row in zip(TEXTS, rows, strict=True):
        assert minilm.rows([text])[0].tobytes() == row.tobytes()


@slow
def test_windows_have_length_1_but_for_rounding_and_end_where_the_passage_ends(minilm: MiniLM) -> None:
    lengths = np.array([np.linalg.norm(_windows(row), axis=1) for row in minilm.rows(TEXTS)])

    assert lengths[lengths > 0] == pytest.approx(1, abs=0.05)
    assert (lengths[0] > 0).sum() == 1  # the tokens that mark beginning and end
    assert (lengths[4] > 0).all()


@slow
@pytest.mark.parametrize("text", ["Where is the harbour?", "", "杭州有多少人？", "x" * 5000])
def test_what_is_asked_has_its_vector_and_one_of_length_1_for_each_token(minilm: MiniLM, text: str) -> None:
    vector, tokens = minilm.asked(text)

    assert np.array_equal(vector, minilm.vectors([text])[0])
    assert tokens.shape[1] == DIMENSIONS
    assert np.linalg.norm(tokens, axis=1) == pytest.approx(1, abs=1e-5)
    assert len(tokens) == {"Where is the harbour?": 5, "": 0}.get(text, len(tokens))
    assert len(tokens) <= 254


@slow
@pytest.mark.parametrize("before", [0, 2, 5, 8])
def test_the_words_of_a_query_are_nearest_to_the_window_that_holds_them(minilm: MiniLM, before: int) -> None:
    tokens = minilm._load()[0]
    [row] = minilm.rows([BREAD * before + HARBOUR + BREAD * (8 - before)])
    first = len(tokens.encode(BREAD * before).ids) - 1  # with the token that marks the beginning
    last = len(tokens.encode(BREAD * before + HARBOUR).ids) - 2

    near = (_windows(row) @ minilm.asked("harbour master Maud Ferrier sailing boats")[1].T).mean(axis=1)
    assert first // WINDOW <= near.argmax() <= last // WINDOW


@slow
def test_of_two_long_passages_that_with_the_sentence_asked_for_is_nearer(minilm: MiniLM) -> None:
    rows = minilm.rows([BREAD * 8, BREAD * 4 + HARBOUR + BREAD * 3, BREAD * 7 + "The museum shows clocks."])

    assert interaction(minilm.asked("Who collects fees from sailing boats?")[1], rows).argmax() == 1
