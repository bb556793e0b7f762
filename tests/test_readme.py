"""The README is run, not believed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rag import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_the_five_lines_of_python_run_as_they_stand(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code
    (tmp_path / "corpus").symlink_to(ROOT / "corpus")
    done = subprocess.run([sys.executable, "-c", code[1]], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1.07 million" in done.stdout


def test_every_setting_is_in_the_table_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        row = next((line for line in README.splitlines() if line.startswith(f"| `RAG_{name.upper()}` |")), None)
        assert row is not None, f"RAG_{name.upper()} is not in the README"
        shown = row.split("|")[2].strip().strip("`")
        default = field.default
        assert shown == ("" if default in (None, (), "") else str(default))
        assert row.split("|")[3].strip() == field.description


def test_every_file_of_the_map_exists() -> None:
    drawn = re.search(r"## The map\n\n```\n(.*?)```", README, re.DOTALL)
    assert drawn
    for line in drawn[1].splitlines():
        name = line.split()[0]
        assert (ROOT / name).exists() or (ROOT / "rag" / name).exists(), name


def test_every_command_of_the_readme_is_a_command() -> None:
    from rag.surfaces.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"^rag (\w+)", README, re.MULTILINE)) <= known
