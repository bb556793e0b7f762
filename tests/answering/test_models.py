"""The models that can be chosen: how each stands, and answers by another one over the same index."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rag import ConfigError, ModelState, Settings
from tests.conftest import ROOT, MakeRag
from tests.fakes import OpenAIServer, ScriptedModel

QUESTION = "How many berths does the harbour have?"
BERTHS = "The harbour has 14 berths [1]."
KEY = "secret-key-1"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.endswith("_API_KEY") or name == "OLLAMA_HOST"]:
        monkeypatch.delenv(name)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nothing listens, and nothing else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


def states(make_rag: MakeRag, **settings: object) -> dict[str, ModelState]:
    return {one.name: one for one in make_rag(**settings).models()}


# --- How they stand -----------------------------------------------------------------------------------------------


def test_without_a_model_of_language_there_is_the_extractive_one(make_rag: MakeRag) -> None:
    assert make_rag().models() == [ModelState("extractive", "ready", "")]


def test_all_that_are_configured_are_listed_once_the_extractive_one_first(make_rag: MakeRag) -> None:
    llms = "openai:b, extractive, openai:a, openai:b"
    assert list(states(make_rag, llm="openai:a", llms=llms)) == ["extractive", "openai:a", "openai:b"]


def test_a_model_that_was_given_as_an_object_is_ready_and_stands_for_the_one_in_the_settings(make_rag: MakeRag) -> None:
    rag = make_rag(llm=ScriptedModel(replies=["x"]), llms=("openai:a",))
    assert [(one.name, one.state) for one in rag.models()] == [
        ("extractive", "ready"),
        ("ScriptedModel", "ready"),
        ("openai:a", "key missing"),
    ]


def test_a_key_may_be_ours_or_the_providers_and_is_never_told(
    make_rag: MakeRag, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = states(make_rag, llm="openai:a")["openai:a"]
    assert missing.state == "key missing" and "OPENAI_API_KEY" in missing.detail and "\n" not in missing.detail
    ours = states(make_rag, llm="openai:a", llm_api_key=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    theirs = states(make_rag, llm="openai:a")
    assert ours == theirs and ours["openai:a"] == ModelState("openai:a") and KEY not in repr(ours)


class Lenient(ScriptedModel):
    """Does without its key until it is asked, and may have other secrets, as Anthropic's class."""

    own_key: str = ""
    tools: str = ""

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"tools": "OWN_TOOLS", "own_key": "OWN_API_KEY"}


def test_a_key_is_missed_though_the_model_can_be_made_without_it(
    make_rag: MakeRag, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, state in (("", "key missing"), (KEY, "ready")):
        monkeypatch.setattr("rag.answering.llm.chat_model", lambda _, key=key: Lenient(replies=["x"], own_key=key))
        found = states(make_rag, llms=("own:x",))["own:x"]
        assert found.state == state and ("OWN_API_KEY" in found.detail) is (not key)


def test_a_package_that_is_not_installed_is_named_by_the_command_that_installs_it(make_rag: MakeRag) -> None:
    found = states(make_rag, llms=("nvidia:x",))["nvidia:x"]
    assert found.state == "package missing" and "make install EXTRAS=nvidia" in found.detail


@pytest.mark.parametrize("name", ["nosuch:model", "gibberish"])
def test_a_name_that_nobody_knows_is_told_with_how_to_write_one(make_rag: MakeRag, name: str) -> None:
    found = states(make_rag, llms=(name,))[name]
    assert found.state == "unreachable" and "provider:model" in found.detail and "langchain" not in found.detail


def test_a_server_of_ones_own_is_ready_while_it_answers_and_is_asked_nothing(make_rag: MakeRag, nowhere: str) -> None:
    with OpenAIServer(BERTHS) as server:
        assert states(make_rag, llm="openai:a", llm_base_url=server.base_url)["openai:a"].state == "ready"
        assert server.requests == []
    found = states(make_rag, llm="openai:a", llm_base_url=nowhere)["openai:a"]
    assert found.state == "unreachable" and "RAG_LLM_BASE_URL" in found.detail and nowhere not in found.detail


@pytest.mark.parametrize("address", ["http://", "http://127.0.0.1:99999/v1", "no address", "http://[::1"])
def test_what_is_no_address_is_unreachable(make_rag: MakeRag, address: str) -> None:
    assert states(make_rag, llm="openai:a", llm_base_url=address)["openai:a"].state == "unreachable"


def test_with_only_the_extractive_model_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from rag import Rag, Settings; "
        "assert [one.name for one in Rag(Settings(_env_file=None)).models()] == ['extractive']; "
        "print([name for name in ('langchain', 'langchain_openai', 'openai', 'torch') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"


# --- Which key goes where -----------------------------------------------------------------------------------------


def test_address_and_key_go_to_the_models_of_the_provider_that_they_were_given_for() -> None:
    settings = Settings(
        _env_file=None, llm="openai:a", llms="openai:b,mistralai:c", llm_base_url="http://x", llm_api_key=KEY
    )
    for name in ("openai:a", "openai:b"):
        made = settings.with_llm(name)
        assert (made.llm, made.llm_base_url, made.llm_api_key) == (name, "http://x", settings.llm_api_key)
    other = settings.with_llm("mistralai:c")
    assert (other.llm_base_url, other.llm_api_key) == (None, None)


def test_without_a_first_model_they_are_for_the_provider_of_the_first_further_one() -> None:
    settings = Settings(_env_file=None, llms="mistralai:c, openai:b", llm_api_key=KEY)
    assert settings.with_llm("mistralai:c").llm_api_key and settings.with_llm("openai:b").llm_api_key is None


# --- Answers by another -------------------------------------------------------------------------------------------


def test_another_model_answers_from_the_same_open_index(make_rag: MakeRag) -> None:
    with OpenAIServer(BERTHS) as server:
        rag = make_rag(llms=("openai:local",), llm_base_url=server.base_url)
        rag.ingest()
        written = rag.with_model("openai:local").ask(QUESTION)
        assert (written.model, written.sentences[0].text) == ("openai:local", "The harbour has 14 berths.")
        assert server.requests[0]["model"] == "local"
    quoted = rag.ask(QUESTION)
    assert (quoted.model, rag.model, rag.health()["generation"]) == ("extractive", "extractive", "gen-000001")


def test_one_can_go_to_the_extractive_model_and_back_to_the_one_that_was_given(make_rag: MakeRag) -> None:
    rag = make_rag(llm=ScriptedModel(replies=[BERTHS]))
    assert rag.ask(QUESTION).model == "ScriptedModel"
    plain = rag.with_model("extractive")
    assert plain.ask(QUESTION).model == "extractive" and plain.models() == rag.models()
    assert plain.with_model("ScriptedModel").ask(QUESTION).model == "ScriptedModel"


def test_what_happens_to_the_documents_of_one_happens_to_the_others(make_rag: MakeRag) -> None:
    rag = make_rag()
    other = rag.with_model("extractive")
    other.ingest()
    other.delete("bakery.txt")
    assert [d.source for d in rag.documents()] == ["deep/museum.md", "harbour.md"]


def test_closing_a_copy_leaves_the_index_open(make_rag: MakeRag) -> None:
    rag = make_rag(auto_ingest=False)
    rag.ingest()
    opened = rag._keeper.ready()
    with rag.with_model("extractive") as other:
        other.ask(QUESTION)
    assert rag._keeper.ready() is opened and not rag.ask(QUESTION).abstained


def test_a_model_without_a_key_is_refused_when_it_is_asked(make_rag: MakeRag) -> None:
    other = make_rag().with_model("openai:a")
    with pytest.raises(ConfigError, match="openai:a"):
        other.ask(QUESTION)
