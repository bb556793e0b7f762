"""Settings: keyword, environment, `.env`, default, in that order."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import Settings


def test_a_keyword_beats_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(
        "RAG_LLM=openai:file\nRAG_PORT=7001\nRAG_LLM_BASE_URL=http://x\nOPENAI_API_KEY=k\n", "utf-8"
    )
    monkeypatch.setenv("RAG_PORT", "7002")
    monkeypatch.setenv("RAG_LLM_BASE_URL", "http://environment")
    settings = Settings(llm_base_url="http://keyword")
    assert (settings.llm, settings.port, settings.llm_base_url) == ("openai:file", 7002, "http://keyword")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LLM", "")
    assert Settings().llm == "extractive"


def test_names_of_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_ALLOWED_HOSTS", "rag.example, docs.example")
    assert Settings().allowed_hosts == ("rag.example", "docs.example")


def test_names_of_models_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LLMS", "openai:a,, ollama:b:7b ")
    assert Settings().llms == ("openai:a", "ollama:b:7b")


@pytest.mark.parametrize(
    "wrong", [{"corpus": "x"}, {"port": -1}, {"passages": 0}, {"llm_timeout_s": 0}, {"unsupported": "hide"}]
)
def test_a_misspelt_or_impossible_setting_is_the_callers_mistake(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Settings(**wrong)


def test_settings_cannot_be_changed_and_hide_the_key() -> None:
    settings = Settings(llm_api_key="secret-key-1")
    with pytest.raises(ValueError):
        settings.llm = "other"
    assert "secret-key-1" not in repr(settings) and "secret-key-1" not in settings.model_dump_json()
