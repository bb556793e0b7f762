"""Importing costs nothing, and opening an index loads no model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT, MakeRag

HEAVY = ["torch", "transformers", "sentence_transformers", "sklearn", "gradio"]


def run(code: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_import_opens_no_file_but_its_own_modules_and_starts_no_thread() -> None:
    found = run("""
        import json, sys, threading
        opened = []
        sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
        before = set(sys.modules)
        import rag
        foreign = {name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
        print(json.dumps({"opened": opened, "threads": threading.active_count(), "modules": sorted(foreign)}))
    """)
    own = str(Path("rag"))
    assert [path for path in found["opened"] if own not in Path(path).parts and "lib/python" not in path] == []
    assert found["threads"] == 1
    assert found["modules"] == ["rag"]


@pytest.mark.slow
def test_opening_an_index_imports_neither_torch_nor_gradio(make_rag: MakeRag) -> None:
    rag = make_rag()
    rag.ingest()
    found = run(
        """
        import json, sys
        from rag import Rag, Settings
        sys.path.insert(0, ".")
        from tests.fakes import HashingEmbeddings
        folders = dict(zip(("corpus_dir", "index_dir", "data_dir"), sys.argv[1:]))
        with Rag(Settings(**folders), embeddings=HashingEmbeddings()) as rag:
            documents = len(rag.documents())
            hits = len(rag.search("berths"))
        print(json.dumps({"modules": sorted(sys.modules), "documents": documents, "hits": hits}))
        """,
        *(str(folder) for folder in (rag.settings.corpus_dir, rag.settings.index_dir, rag.settings.data_dir)),
    )
    assert found["documents"] == 3 and found["hits"]
    assert not set(HEAVY) & set(found["modules"])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_the_command_answers_from_a_built_index_without_importing_anything_heavy(
    tmp_path: Path, precision: str
) -> None:
    code = """
        import json, sys
        from rag.surfaces.cli import main
        try:
            main()
        finally:
            print()
            print(json.dumps(sorted(sys.modules)))
    """
    command = ["ask", "How many merchants does 1688 have?", "--corpus", "corpus", "--index", str(tmp_path / "index")]
    environment = {**os.environ, "RAG_EMBEDDING_PRECISION": precision, "RAG_DATA_DIR": str(tmp_path / "data")}
    for asked in ("first", "again"):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), *command],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment,
        )
        assert "1.07 million" in done.stdout, asked
        imported = set(json.loads(done.stdout.splitlines()[-1]))
        assert imported & {*HEAVY, "scipy", "pandas"} == set()
    assert "onnx" not in imported
    assert "embedding" not in done.stderr
