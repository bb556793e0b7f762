"""What a folder is about: one passage for each main part."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.documents.readers import read
from rag.documents.splitting import split
from rag.documents.types import Limits
from rag.retrieval.chroma import VERSION
from rag.retrieval.embedding import Embedder
from rag.retrieval.generation import Generation, Manifest, NewGeneration
from rag.retrieval.retriever import MAX_PARTS, outline
from tests.fakes import HashingEmbeddings


@pytest.fixture
def index_of(tmp_path: Path):
    """Builds a generation over the given texts by source."""
    made: list[Generation] = []

    def build(**texts: str) -> Generation:
        documents = []
        for name, text in texts.items():
            (tmp_path / f"{name}.md").write_text(text, "utf-8")
            documents.append(read(tmp_path / f"{name}.md", f"{name}.md", Limits()))
        passages = [passage for document in documents for passage in split(document)]
        vectors = Embedder(HashingEmbeddings()).texts([passage.embedding_text for passage in passages])
        path = tmp_path / f"gen-{len(made)}"
        manifest = Manifest("hashing", vectors.shape[1], "s", VERSION, {}, {}, len(passages))
        NewGeneration(documents, passages, vectors, manifest).write(path, None)
        made.append(Generation(path))
        return made[-1]

    yield build
    for generation in made:
        generation.close()


def _prose(about: str, sentences: int = 12) -> str:
    return " ".join(f"The {about} is described here in sentence number {i}." for i in range(sentences))


def _sectioned(*names: str) -> str:
    return "# Town\n\n" + "\n\n".join(f"## {name}\n\n{_prose(name)}" for name in names)


def test_a_single_document_gives_one_passage_for_each_main_section_in_reading_order(index_of) -> None:
    found = outline(index_of(town=_sectioned("Harbour", "Bakery", "Museum")))

    assert [passage.section for passage in found] == ["Harbour", "Bakery", "Museum"]


def test_subsections_belong_to_their_main_section(index_of) -> None:
    text = f"# Town\n\n## Harbour\n\n{_prose('quay')}\n\n### Fees\n\n{_prose('fee')}\n\n## Bakery\n\n{_prose('bread')}"

    found = outline(index_of(town=text))

    assert [passage.section.split(" > ")[0] for passage in found] == ["Harbour", "Bakery"]


def test_several_documents_give_one_passage_each(index_of) -> None:
    generation = index_of(
        town=_sectioned("Harbour", "Bakery"), country=_sectioned("Hills", "Rivers"), sea=_prose("sea")
    )

    assert [passage.source for passage in outline(generation)] == ["town.md", "country.md", "sea.md"]


def test_a_restriction_to_one_document_outlines_that_one(index_of) -> None:
    generation = index_of(town=_sectioned("Harbour", "Bakery"), country=_sectioned("Hills", "Rivers"))

    found = outline(generation, {"country.md"})

    assert [(passage.source, passage.section) for passage in found] == [
        ("country.md", "Hills"),
        ("country.md", "Rivers"),
    ]
    assert outline(generation, ()) == []


def test_a_document_without_sections_is_sampled_from_its_beginning_to_its_end(index_of) -> None:
    generation = index_of(town="# Town\n\n" + _prose("town", 300))
    found = outline(generation)

    assert len(found) > 2
    assert [p.start for p in found] == sorted(p.start for p in found)
    end = generation.passages[-1].end
    assert found[0].start < end / 3
    assert found[-1].start > end * 2 / 3


def test_there_are_never_more_parts_than_the_limit(index_of) -> None:
    assert len(outline(index_of(town=_sectioned(*(f"Street {i}" for i in range(30)))))) == MAX_PARTS
    assert len(outline(index_of(**{f"town{i:02}": _prose(f"town {i}") for i in range(20)}))) == MAX_PARTS


def test_a_note_of_one_line_is_no_main_part_where_there_are_others(index_of) -> None:
    text = _sectioned("Harbour", "Bakery") + "\n\n## Source\n\nSeen on the web."

    assert [passage.section for passage in outline(index_of(town=text))] == ["Harbour", "Bakery"]


def test_a_document_of_short_notes_alone_is_outlined_by_them(index_of) -> None:
    assert [p.text for p in outline(index_of(town="# Town\n\n## One\n\nFirst.\n\n## Two\n\nSecond."))] == [
        "First.",
        "Second.",
    ]


def test_the_passage_chosen_is_the_one_nearest_to_its_part(index_of) -> None:
    sections = [_prose("harbour quay pier", 14), _prose("weather report moon", 14), _prose("harbour quay pier", 14)]
    text = "# Town\n\n## Sea\n\n" + "\n\n".join(sections) + "\n\n## Land\n\n" + _prose("land")

    assert "harbour quay pier" in outline(index_of(town=text))[0].text
