"""The bundled model on onnxruntime gives what sentence-transformers gives; its kept file can be hurt in any way."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.errors import ModelUnavailable
from rag.retrieval import disk, minilm, minilm_graph
from rag.retrieval.minilm import KeptModel, MiniLM, bundled_model_path
from tests.conftest import ARTICLE, ROOT

slow = pytest.mark.slow
LONG = ARTICLE.read_text("utf-8")
TEXTS = [
    "",
    " \n\t ",
    "a",
    "Where is the harbour?",
    "The harbour has 14 berths; ferries leave at 07:40.",
    LONG[:744],
    LONG[744:3000],
    (LONG * 10)[:100_000],
    "x" * 5000,
    "🚢 ⚓️ 👩‍👩‍👧‍👦 harbour",
    "阿里巴巴在二零二五年开设了多少个数据中心？",
    "nul\0 inside \0\0",
    "Straße, naïve café, ﬁne Ωμέγα, İstanbul",
    "\u202eright to left\u202c \ufeff \ufffd \x07 bell",
    "[CLS] [SEP] [MASK] [PAD] [UNK] ##ing",
]
TOKEN = "harbour "  # one token of the model's


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def int8(folder: Path) -> MiniLM:
    return MiniLM(folder, "int8")


@pytest.fixture(scope="module")
def fp32(folder: Path) -> MiniLM:
    return MiniLM(folder, "fp32")


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1)


# --- Vectors ------------------------------------------------------------------------------------------------------


@slow
def test_fp32_gives_what_sentence_transformers_gives(fp32: MiniLM) -> None:
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(str(bundled_model_path()), device="cpu", local_files_only=True)
    expected = other.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)

    assert cosines(fp32.vectors(TEXTS), expected).min() > 0.9999


@slow
def test_int8_is_near_fp32(int8: MiniLM, fp32: MiniLM) -> None:
    sentences = [line for line in LONG.splitlines() if len(line) > 30][:100]
    near = cosines(int8.vectors(TEXTS + sentences), fp32.vectors(TEXTS + sentences))

    assert near.min() > 0.99  # 0.9956 was measured
    assert near.mean() > 0.997


@slow
@pytest.mark.parametrize("model", ["int8", "fp32"])
def test_rows_are_float32_of_length_1_in_the_order_of_the_texts(model: str, request: pytest.FixtureRequest) -> None:
    minilm = request.getfixturevalue(model)
    rows = minilm.vectors(TEXTS)

    assert rows.shape == (len(TEXTS), 384)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    for text, row in zip(TEXTS, rows, strict=True):
        assert np.array_equal(minilm.vectors([text])[0], row)  # whatever it is embedded with


@slow
def test_langchain_gets_lists_of_the_same_numbers(int8: MiniLM) -> None:
    assert int8.embed_documents(TEXTS[:4]) == int8.vectors(TEXTS[:4]).tolist()
    assert int8.embed_query(TEXTS[3]) == int8.vectors([TEXTS[3]])[0].tolist()
    assert int8.embed_documents([]) == []
    assert int8.vectors(()).shape == (0, 384)


@slow
def test_texts_are_read_up_to_256_tokens(int8: MiniLM) -> None:
    full = TOKEN * 254  # and one token at each end

    assert cosines(int8.vectors([TOKEN * 127]), int8.vectors([TOKEN * 127 + "bakery " * 126]))[0] < 0.95
    assert not np.array_equal(int8.vectors([TOKEN * 253 + "bakery"]), int8.vectors([full]))
    assert np.array_equal(int8.vectors([full + "bakery " * 50]), int8.vectors([full]))


@slow
@pytest.mark.parametrize("text", ["\ud83d", "harbour \udc00 bakery", "\ud83d\ud83d a", "\udfff\ud800"])
def test_half_a_character_is_passed_over(int8: MiniLM, text: str) -> None:
    without = "".join(char for char in text if not 0xD800 <= ord(char) < 0xE000)

    assert np.array_equal(int8.vectors([text]), int8.vectors([without]))


@slow
def test_two_halves_are_a_whole_character(int8: MiniLM) -> None:
    assert np.array_equal(int8.vectors(["\ud83d\udea2 harbour"]), int8.vectors(["🚢 harbour"]))


@slow
@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("How many people live in the city?", 1.0),
        ("杭州有多少人？", 0.0),
        ("안녕하세요", 0.0),
        ("Tongyi was here", 2 / 3),
        ("?!", 1.0),
        ("", 1.0),
        ("\ud800", 1.0),
    ],
)
def test_it_reads_the_share_of_the_words_that_its_vocabulary_has_whole(int8: MiniLM, text: str, share: float) -> None:
    assert int8.reads(text) == pytest.approx(share)


@slow
def test_of_a_german_question_it_reads_the_lesser_part(int8: MiniLM) -> None:
    assert 0.1 < int8.reads("Wie viele Einwohner hatte die Stadt im letzten Jahrhundert?") < 0.6


@slow
def test_many_threads_get_what_one_gets(folder: Path) -> None:
    minilm = MiniLM(folder)
    texts = [f"{text[:200]} {i}" for i in range(4) for text in TEXTS]
    with ThreadPoolExecutor(12) as pool:  # the first of them load it
        found = list(pool.map(lambda i: minilm.vectors(texts[i : i + 5]), range(0, len(texts), 5)))

    assert np.array_equal(np.concatenate(found), minilm.vectors(texts))


def test_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'int4'"):
        MiniLM(tmp_path, "int4")  # type: ignore[arg-type]


# --- The graph ----------------------------------------------------------------------------------------------------


def test_two_neighbouring_weights_never_saturate_16_bits() -> None:
    chance = np.random.default_rng(0)
    weight = (chance.standard_normal((64, 200)) ** 3).astype(np.float32)
    integers, scales = minilm_graph._quantized(weight)
    pairs = np.abs(integers.astype(int)).reshape(32, 2, 200).sum(axis=1)

    assert pairs.max() * 255 < 2**15
    assert pairs.max(axis=0).min() >= 126  # and no step is wasted
    assert np.abs(integers * scales - weight).max(axis=0) == pytest.approx(scales / 2, rel=0.2)


@slow
def test_the_model_made_is_the_same_each_time() -> None:
    weights = bundled_model_path()

    assert minilm_graph.onnx_model(weights, "int8") == minilm_graph.onnx_model(weights, "int8")


# --- The kept file: a small stand-in for the model ----------------------------------------------------------------


class Making:
    """Stands in for `onnx_model`; counts."""

    def __init__(self) -> None:
        self.made = 0
        self.model = bytes(range(256)) * 40

    def __call__(self, folder: Path, precision: str) -> bytes:
        self.made += 1
        return precision.encode() + self.model


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Making:
    making = Making()
    monkeypatch.setattr(minilm_graph, "onnx_model", making)
    monkeypatch.setattr(minilm, "bundled_model_path", lambda: Path("weights"))
    return making


def test_it_is_made_once_and_kept_as_one_file(tmp_path: Path, making: Making) -> None:
    kept = KeptModel(tmp_path / "new" / "folder", "int8")

    assert kept.read() == kept.read() == KeptModel(kept.folder, "int8").read() == b"int8" + making.model
    assert making.made == 1
    assert list(kept.folder.iterdir()) == [kept.path]


HURTS: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "halved": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "digest only": lambda data: data[:32],
    "bit of the digest": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "bit of the model": lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_file_is_made_again(tmp_path: Path, making: Making, hurt: str) -> None:
    kept = KeptModel(tmp_path, "int8")
    model, data = kept.read(), kept.path.read_bytes()
    kept.path.write_bytes(HURTS[hurt](data))

    assert kept.read() == model
    assert making.made == 2
    assert kept.path.read_bytes() == data


def test_what_is_no_file_is_not_kept_over(tmp_path: Path, making: Making, caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptModel(tmp_path, "int8")
    kept.path.mkdir()

    assert kept.read() == b"int8" + making.model
    assert str(kept.path) in caplog.text


def test_another_version_or_precision_is_made_anew(
    tmp_path: Path, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = KeptModel(tmp_path, "int8")
    first.read()
    KeptModel(tmp_path, "fp32").path.write_bytes(first.path.read_bytes())
    assert KeptModel(tmp_path, "fp32").read().startswith(b"fp32")
    monkeypatch.setattr(minilm_graph, "VERSION", minilm_graph.VERSION + 1)

    first.read()
    assert making.made == 3
    assert len(list(tmp_path.iterdir())) == 2  # in place of the old ones


@pytest.mark.parametrize("fault", ["write_whole", "locked"])
def test_where_it_cannot_be_kept_it_is_used_all_the_same_with_one_warning(
    tmp_path: Path, making: Making, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, fault, full)
    with caplog.at_level(logging.WARNING):
        assert KeptModel(tmp_path, "int8").read() == b"int8" + making.model

    assert making.made == 1
    assert len(caplog.records) == 1
    assert "No space left" in caplog.text


def test_a_folder_that_cannot_be_made_is_no_obstacle(
    tmp_path: Path, making: Making, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")

    assert KeptModel(tmp_path / "file" / "folder", "int8").read() == b"int8" + making.model
    assert len(caplog.records) == 1


def test_while_another_process_makes_it_we_do_not_write(
    tmp_path: Path, making: Making, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(minilm, "_OTHERS_MAKE_IT_S", 0.1)
    with disk.locked(tmp_path):
        assert KeptModel(tmp_path, "int8").read() == b"int8" + making.model

    assert not list(tmp_path.iterdir())
    assert "locked by another process" in caplog.text


def test_what_a_killed_process_left_is_cleared(tmp_path: Path, making: Making) -> None:
    kept = KeptModel(tmp_path, "int8")
    kept.read()
    left = kept.path.with_name(kept.path.name + ".new")
    kept.path.rename(left)

    kept.read()
    assert list(tmp_path.iterdir()) == [kept.path]


def test_a_model_that_cannot_be_made_says_what_to_do(
    tmp_path: Path, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> bytes:
        raise ModuleNotFoundError("No module named 'onnx'")

    monkeypatch.setattr(minilm_graph, "onnx_model", missing)

    with pytest.raises(ModelUnavailable, match=r"onnx.*make install"):
        MiniLM(tmp_path).embed_query("harbour")
    assert not list(tmp_path.iterdir())


# --- The kept file: the real one ----------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from rag.retrieval.minilm import MiniLM
print(MiniLM(Path(sys.argv[1])).embed_query("Where is the harbour?")[:3])
print(*sorted({"onnx", "torch", "transformers", "sentence_transformers"} & set(sys.modules)))
"""


def run(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


@slow
def test_two_processes_may_make_it_at_once_and_a_third_needs_only_the_file(int8: MiniLM, tmp_path: Path) -> None:
    expected = f"{int8.embed_query('Where is the harbour?')[:3]}\n"
    both = [process.communicate() for process in [run(tmp_path), run(tmp_path)]]
    third = run(tmp_path).communicate()

    assert [out.splitlines()[0] + "\n" for out, _ in both] == [expected] * 2
    assert {out.splitlines()[1] for out, _ in both} <= {"onnx", ""}
    assert third[0] == expected + "\n"
    assert {errors for _, errors in (*both, third)} == {""}
    assert list(tmp_path.iterdir()) == [KeptModel(tmp_path, "int8").path]


@slow
def test_after_damage_vectors_are_the_same(int8: MiniLM, folder: Path) -> None:
    before = int8.vectors(TEXTS)
    path = KeptModel(folder, "int8").path
    path.write_bytes(path.read_bytes()[: 10**6])

    assert np.array_equal(MiniLM(folder).vectors(TEXTS), before)
