"""Settings: keyword, environment, `.env`, default, in that order."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rag import Settings
from rag.settings import credentials
from rag.surfaces.terminal import readable


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


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        (" open, sesame ", {"": "open, sesame"}),
        ("ann:pw1", {"ann": "ann:pw1"}),
        ("ann:pw:1, 本 : 密 码 ", {"ann": "ann:pw:1", "本": "本:密 码"}),
    ],
)
def test_who_may_come_in_is_one_password_or_named_users(auth: str, found: dict[str, str]) -> None:
    given = Settings(auth=auth).auth
    assert given is not None and credentials(given.get_secret_value()) == found


@pytest.mark.parametrize(
    "auth", [" ", ":", "ann:", ":hush-1", "ann:hush-1,ben", "hush-1,ann:hush-2", "ann:hush-1,ann:hush-2", "ann:hush-1,"]
)
def test_what_cannot_be_read_as_either_is_refused_without_a_password(
    auth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_AUTH", auth)
    with pytest.raises(ValidationError) as refused:
        Settings()
    for told in (str(refused.value), repr(refused.value.errors()), readable(refused.value)):
        assert "hush" not in told and ("number" in told or "empty" in told)
    assert "RAG_AUTH" in readable(refused.value)


def test_passwords_are_in_no_text_of_the_settings() -> None:
    settings = Settings(auth="ann:hush-1")
    assert "hush-1" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
