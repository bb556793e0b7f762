"""What all tests share. No test may reach beyond this machine: a hook sees to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models.chat_models import BaseChatModel

from rag import Rag, Settings
from tests.fakes import HashingEmbeddings

os.environ["TOKENIZERS_PARALLELISM"] = "false"
for name in [name for name in os.environ if name.startswith("RAG_")]:
    del os.environ[name]  # the tests' settings are their own

ROOT = Path(__file__).parent.parent
ARTICLE = ROOT / "corpus" / "alibaba-ai-businesses.md"
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def _deny_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    elif event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0] or "localhost")
    else:
        return
    if not host.startswith(LOOPBACK):
        raise OSError(f"a test tried to reach {host}")


sys.addaudithook(_deny_outside)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of three small documents."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "harbour.md").write_text(HARBOUR, "utf-8")
    (folder / "bakery.txt").write_text(BAKERY, "utf-8")
    (folder / "deep").mkdir()
    (folder / "deep" / "museum.md").write_text(MUSEUM, "utf-8")
    return folder


MakeRag = Callable[..., Rag]


@pytest.fixture
def make_rag(corpus: Path, tmp_path: Path) -> Iterator[MakeRag]:
    """Opens Rags over `corpus`, with an embedder that needs no model unless another is given."""
    opened: list[Rag] = []

    def make(
        llm: BaseChatModel | str | None = None,
        embeddings: Embeddings | None = None,
        progress: Any = None,
        **settings: Any,
    ) -> Rag:
        folders = {"corpus_dir": corpus, "index_dir": tmp_path / "index", "data_dir": tmp_path / "data"}
        named = {"llm": llm} if isinstance(llm, str) else {}
        rag = Rag(
            Settings(**{**folders, **named, **settings}),
            llm=None if isinstance(llm, str) else llm,
            embeddings=embeddings or HashingEmbeddings(),
            progress=progress,
        )
        opened.append(rag)
        return rag

    yield make
    for rag in opened:
        rag.close()


@pytest.fixture(scope="session")
def article_rag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rag]:
    """The shipped article with the real embedding model."""
    folder = tmp_path_factory.mktemp("article")
    settings = Settings(corpus_dir=ROOT / "corpus", index_dir=folder / "index", data_dir=folder / "data")
    with Rag(settings) as rag:
        yield rag


HARBOUR = """# The harbour of Port Elver

## Ships

The harbour has 14 berths. Ferries leave for Saint Oun at 07:40 on weekdays. No ferry leaves on Sundays.

Harbour master Maud Ferrier took over from her brother in 2019. She reports to the town council.

## Fees

- A sailing boat pays 12 crowns a night.
- A motor boat pays 30 crowns a night.

| Service | Price |
|---|---|
| Water | 2 crowns |
| Power | 5 crowns |
"""

BAKERY = """The bakery on Mill Lane

The bakery was opened by Ren\u00e9 Br\u00fbl\u00e9 in 1987. It sells 400 loaves a day, most of them before nine.
Its rye bread won the county prize in 2004.

The oven burns beech wood. Apprentices stay for three years.
"""

MUSEUM = """# The clock museum

The museum shows 212 clocks from four centuries. The oldest was made in 1561 by Hans Keller.

## Visits

It is open from Tuesday to Saturday. Children pay nothing. A guided tour costs 8 crowns.
"""
