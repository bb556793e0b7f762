"""Saved conversations: what was asked and answered is there again, whatever happened meanwhile."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from pydantic import SecretStr

from rag import Answer, Rag, Settings, StoreError
from rag import conversations as module
from rag.answering.types import DifferingValue
from rag.conversations import TITLE_CHARS, VERSION, Conversations
from tests.conftest import ROOT, MakeRag
from tests.fakes import ScriptedModel

QUESTION = "How many berths does the harbour have?"
CHINESE = "\u6e2f\u53e3\u6709\u591a\u5c11\u4e2a\u6cca\u4f4d\uff1f"


@pytest.fixture
def saved(tmp_path: Path) -> Conversations:
    return Conversations(tmp_path / "data")


@pytest.fixture
def rag(make_rag: MakeRag) -> Rag:
    return make_rag()


@pytest.fixture
def answer(rag: Rag) -> Answer:
    return rag.ask(QUESTION)


def told(question: str, text: str = "Yes.") -> Answer:
    return Answer(question, question, text, False, "", 0.5, (), (), "extractive", 0.1)


def say(saved: Conversations, user: str, conversation: str, *exchanges: tuple[str, str]) -> None:
    for position, (question, text) in enumerate(exchanges, 1):
        saved.ask(user, conversation, position, question)
        saved.answer(user, conversation, position, told(question, text))


def questions(saved: Conversations, user: str = "", conversation: str = "c") -> list[str]:
    return [turn.question for turn in saved.turns(user, conversation)]


def ids(saved: Conversations, search: str = "", user: str = "") -> list[str]:
    return [one.id for one in saved.listed(user, search)]


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def made_by_version_1(path: Path) -> None:
    """A file as the first version left it, with a conversation in it."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database, database:
        for statement in module._SQL["steps"][0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute("INSERT INTO conversations VALUES ('', 'c', 'Old', '2026-01-01T00:00:00.000000+00:00')")
        row = "", "c", 1, QUESTION, "Yes.", module._ANSWERS.dump_json(told(QUESTION)).decode()
        columns = "user, conversation, position, question, text, answer"
        database.execute(f"INSERT INTO turns ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)


def in_another_process(code: str, folder: Path) -> subprocess.Popen[str]:
    head = "import sys; from pathlib import Path; from tests.test_conversations import *\n"
    head += "saved = Conversations(Path(sys.argv[1]))\n"
    command = [sys.executable, "-c", head + code, folder]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


# --- What is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [QUESTION, "Which volcano erupted near Quito?", "Hello", "What is this about?"])
def test_an_answer_comes_back_as_it_was(make_rag: MakeRag, saved: Conversations, question: str) -> None:
    answer = make_rag().ask(question)
    saved.ask("", "c", 1, question)
    saved.answer("", "c", 1, answer)
    [turn] = Conversations(saved.path.parent).turns("", "c")
    assert turn.answer == answer and turn.answer.to_dict() == answer.to_dict()
    assert [hit.passage.id for hit in turn.answer.hits] == [hit.passage.id for hit in answer.hits]
    assert turn.answer.citations == answer.citations and (turn.position, turn.liked) == (1, None)


def test_an_answer_of_a_model_and_one_with_a_conflict_come_back_as_they_were(
    make_rag: MakeRag, saved: Conversations, answer: Answer
) -> None:
    cited = answer.citations[0]
    conflict = tuple(DifferingValue(value, cited) for value in ("14", "15"))
    of_model = make_rag(llm=ScriptedModel(replies=["It has 14 berths [1]. It has 99 cranes [1]."])).ask(QUESTION)
    assert {sentence.supported for sentence in of_model.sentences} == {True, False}
    for position, one in enumerate([replace(answer, conflict=conflict, confidence=0.1 + 0.2), of_model], 1):
        saved.ask("", "c", position, QUESTION)
        saved.answer("", "c", position, one)
        assert saved.turns("", "c")[-1].answer == one


def test_a_question_without_an_answer_is_kept_as_one(saved: Conversations) -> None:
    saved.ask("", "c", 1, QUESTION)
    [turn] = saved.turns("", "c")
    assert (turn.question, turn.answer) == (QUESTION, None)


def test_a_retry_or_an_edit_forgets_the_turn_and_what_came_after_it(saved: Conversations) -> None:
    say(saved, "", "c", ("one", "1"), ("two", "2"), ("three", "3"))
    saved.ask("", "c", 2, "two, edited")
    assert questions(saved) == ["one", "two, edited"]
    assert [turn.answer and turn.answer.text for turn in saved.turns("", "c")] == ["1", None]
    assert saved.listed("")[0].title == "one"


def test_an_answer_that_comes_too_late_is_not_kept(saved: Conversations) -> None:
    saved.ask("", "c", 1, "first")
    saved.ask("", "c", 1, "second")
    saved.answer("", "c", 1, told("first"))
    assert saved.turns("", "c")[0].answer is None
    saved.delete("", "c")
    saved.answer("", "c", 1, told("second"))
    assert saved.turns("", "c") == [] and saved.listed("") == []


def test_an_answer_is_kept_to_a_question_that_was_typed_with_line_breaks_and_unseen_characters(
    rag: Rag, saved: Conversations
) -> None:
    typed = "How many berths\ndoes the \u200bharbour have? \x00\ud800"
    saved.ask("", "c", 1, typed)
    saved.answer("", "c", 1, rag.ask(typed))
    assert saved.turns("", "c")[0].answer is not None


def test_users_see_their_own_conversations_only(saved: Conversations) -> None:
    say(saved, "ada", "c", ("Ada's", "1"))
    assert saved.turns("bob", "c") == [] and saved.listed("bob") == []
    saved.rename("bob", "c", "taken")
    saved.delete("bob", "c")
    saved.judge("bob", "c", 1, False, "", {})
    saved.ask("bob", "c", 1, "Bob's")
    assert questions(saved, "ada") == ["Ada's"] and questions(saved, "bob") == ["Bob's"]
    assert saved.listed("ada")[0].title == "Ada's" and saved.feedback() == []


def test_the_list_has_the_last_changed_first_with_its_size(saved: Conversations) -> None:
    say(saved, "", "a", ("one", "1"), ("two", "2"))
    say(saved, "", "b", ("three", "3"))
    assert [(one.id, one.title, one.turns) for one in saved.listed("")] == [("b", "three", 1), ("a", "one", 2)]
    saved.ask("", "a", 3, "again")
    assert ids(saved) == ["a", "b"] and saved.listed("")[0].changed.endswith("+00:00")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("BERTHS", ["a"]),
        ("ferries berths", ["a"]),  # in two turns
        ("port elver", ["a"]),  # in the title
        ("berths loaves", []),
        ("ren\u00c9 br\u00fbl\u00c9", ["b"]),
        ("\u6cca\u4f4d", ["z"]),
        ("\u6cca\u4f4d \u6e2f\u53e3", ["z"]),
        ("14", ["z", "a"]),
        ("\uff11\uff14", ["z", "a"]),  # full width
        ("100%", ["b"]),
        ("%", ["b"]),
        ("_", []),
        ("'; DROP TABLE turns", []),
        ("  ", ["z", "b", "a"]),
    ],
)
def test_a_search_finds_conversations_that_hold_every_word(saved: Conversations, search: str, found: list[str]) -> None:
    say(saved, "", "a", ("How many berths?", "It has 14."), ("And ferries?", "At 07:40."))
    saved.rename("", "a", "Port Elver")
    say(saved, "", "b", ("Who opened the bakery?", "Ren\u00e9 Br\u00fbl\u00e9; 400 loaves, 100% rye."))
    say(saved, "", "z", (CHINESE, "14\u4e2a\u6cca\u4f4d\u3002"))
    assert ids(saved, search) == found and ids(saved, search, "another") == []


def test_what_was_deleted_is_not_in_the_file(saved: Conversations) -> None:
    say(saved, "", "c", ("Where is the secretword buried?", "Under the secretword tree. " * 400))
    say(saved, "", "d", ("keep", "this"))
    assert b"secretword" in saved.path.read_bytes()
    saved.delete("", "c")
    assert ids(saved) == ["d"] and b"secretword" not in saved.path.read_bytes()


@pytest.mark.parametrize("id_", ["", "a" * 65, "../x", "a b", "a\n", "\u00e9", "a'--", "a\x00"])
def test_an_id_that_no_browser_of_ours_chooses_is_refused(saved: Conversations, id_: str) -> None:
    acts = [lambda: saved.ask("", id_, 1, "x"), lambda: saved.turns("", id_), lambda: saved.delete("", id_)]
    acts += [lambda: saved.rename("", id_, "x"), lambda: saved.judge("", id_, 1, True, "", {})]
    acts += [lambda: saved.answer("", id_, 1, told("x"))]
    for act in acts:
        with pytest.raises(ValueError, match="is no id"):
            act()
    assert not saved.path.exists()


@pytest.mark.parametrize("position", [0, -1, 2**31, 2**70])
def test_a_position_that_is_none_is_refused(saved: Conversations, position: int) -> None:
    acts = [lambda: saved.ask("", "c", position, "x"), lambda: saved.answer("", "c", position, told("x"))]
    for act in [*acts, lambda: saved.judge("", "c", position, True, "", {})]:
        with pytest.raises(ValueError, match="position"):
            act()


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'); DROP TABLE turns; --", "'); DROP TABLE turns; --"),
        ("a\x00b\x1b[31mred\ud800", None),
        ("\u6e2f" * 500, "\u6e2f" * (TITLE_CHARS - 1) + "\u2026"),
        ("x" * TITLE_CHARS, "x" * TITLE_CHARS),
    ],
)
def test_a_title_is_text_and_short(saved: Conversations, title: str, shown: str | None) -> None:
    saved.ask("", "c", 1, title)
    first = saved.listed("")[0].title
    saved.rename("", "c", "other")
    saved.rename("", "c", title)
    assert saved.listed("")[0].title == first and first.isprintable()
    assert shown is None or first == shown
    for empty in ("", " \n", "\u200b"):
        with pytest.raises(ValueError, match="empty"):
            saved.rename("", "c", empty)


# --- Feedback -----------------------------------------------------------------------------------------------------


def test_feedback_keeps_what_it_is_about(saved: Conversations, answer: Answer) -> None:
    saved.ask("ada", "c", 1, QUESTION)
    saved.judge("ada", "c", 1, True, "too early", {})  # there is no answer yet
    saved.answer("ada", "c", 1, answer)
    settings = Settings(llm_api_key=SecretStr("sk-secret"), passages=5)
    saved.judge("ada", "c", 1, True, "", dict(settings))
    saved.judge("ada", "c", 1, False, "It has 15.\x1b[31m", {**settings.model_dump(), "key": "sk-secret"})
    assert saved.turns("ada", "c")[0].liked is False
    saved.delete("ada", "c")
    [kept] = saved.feedback()
    assert (kept.user, kept.question, kept.liked, kept.reason) == ("ada", QUESTION, False, "It has 15.")
    assert kept.answer == answer and kept.settings["passages"] == 5
    assert b"sk-secret" not in saved.path.read_bytes()


def test_feedback_can_be_taken_back(saved: Conversations) -> None:
    say(saved, "", "c", ("one", "1"), ("two", "2"))
    saved.judge("", "c", 1, True, "", {})
    saved.judge("", "c", 2, False, "no", {})
    assert [turn.liked for turn in saved.turns("", "c")] == [True, False]
    assert [one.question for one in saved.feedback()] == ["two", "one"]
    saved.judge("", "c", 2, None, "", {})
    assert [turn.liked for turn in saved.turns("", "c")] == [True, None]
    assert [one.question for one in saved.feedback()] == ["one"]


def test_a_question_that_was_asked_anew_is_not_judged_yet(saved: Conversations) -> None:
    say(saved, "", "c", ("one", "bad"))
    saved.judge("", "c", 1, False, "bad", {})
    say(saved, "", "c", ("one", "good"))
    assert saved.turns("", "c")[0].liked is None
    saved.judge("", "c", 1, True, "", {})
    assert [(one.liked, one.answer.text) for one in saved.feedback()] == [(True, "good"), (False, "bad")]


# --- The file -----------------------------------------------------------------------------------------------------


def test_reading_makes_no_file(saved: Conversations) -> None:
    assert saved.turns("", "c") == [] and saved.listed("", "x") == [] and saved.feedback() == []
    assert not saved.path.parent.exists()


def test_others_on_the_machine_cannot_read_it(saved: Conversations) -> None:
    before = os.umask(0)
    try:
        saved.ask("", "c", 1, "one")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (saved.path.parent, saved.path)]
    assert modes == [0o700, 0o600] and [path.name for path in saved.path.parent.iterdir()] == [saved.path.name]


def test_an_older_file_is_brought_forward_and_a_copy_kept(saved: Conversations) -> None:
    made_by_version_1(saved.path)
    before = os.umask(0)
    try:
        [turn] = saved.turns("", "c")
    finally:
        os.umask(before)
    assert (turn.question, turn.answer) == (QUESTION, told(QUESTION))
    copy = saved.path.with_name("conversations.v1.sqlite")
    assert version_of(saved.path) == VERSION > version_of(copy) == 1
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT question FROM turns").fetchall() == [(QUESTION,)]
    saved.judge("", "c", 1, True, "", {})
    assert len(saved.feedback()) == 1


def test_a_copy_that_was_cut_off_is_made_anew(saved: Conversations) -> None:
    made_by_version_1(saved.path)
    copy = saved.path.with_name("conversations.v1.sqlite")
    copy.write_bytes(saved.path.read_bytes()[:5000] + b"\xff" * 100)
    assert questions(saved) == [QUESTION] and version_of(copy) == 1


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    saved: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(saved, "", "c", ("one", "1"))
    before = saved.path.read_bytes()
    broken = [*module._SQL["steps"], ["DELETE FROM turns", "SELECT nonsense"]]
    monkeypatch.setitem(module._SQL, "steps", broken)
    monkeypatch.setattr(module, "VERSION", len(broken))
    with pytest.raises(StoreError, match="nonsense"):
        saved.ask("", "c", 2, "two")
    assert saved.path.read_bytes() == before
    monkeypatch.undo()
    assert questions(saved) == ["one"]


def test_a_newer_file_is_left_as_it_is(saved: Conversations) -> None:
    saved.ask("", "c", 1, "one")
    with closing(sqlite3.connect(saved.path)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = saved.path.read_bytes()
    for act in (lambda: saved.turns("", "c"), lambda: saved.ask("", "c", 2, "two"), saved.feedback):
        with pytest.raises(StoreError, match=r"newer version.*RAG_DATA_DIR"):
            act()
    assert saved.path.read_bytes() == before and len(list(saved.path.parent.iterdir())) == 1


def damage(path: Path, kind: str) -> bytes:
    held = path.read_bytes()
    garbage = random.Random(1).randbytes(len(held))
    path.write_bytes({
        "garbage": garbage,
        "cut off": held[: len(held) // 2],
        "overwritten": held[:4096] + garbage[4096:],
        "text": b"These are not the conversations.\n" * 200,
    }[kind])  # fmt: skip
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["garbage", "cut off", "overwritten", "text"])
@pytest.mark.parametrize("reads", [True, False], ids=["read", "written"])
def test_a_damaged_file_is_kept_under_another_name_and_the_chat_goes_on(
    saved: Conversations, caplog: pytest.LogCaptureFixture, kind: str, reads: bool
) -> None:
    say(saved, "", "c", *((f"question {n}", "words " * 500) for n in range(10)))
    left = damage(saved.path, kind)
    if reads:
        assert saved.turns("", "c") == []
    saved.ask("", "c", 1, "after")
    assert questions(saved) == ["after"] and version_of(saved.path) == VERSION
    [away] = saved.path.parent.glob("conversations.damaged-*.sqlite")
    assert away.read_bytes() == left
    [record] = caplog.records
    assert record.levelname == "WARNING" and str(away) in record.getMessage()


def eight_at_once(folder: Path) -> list[str]:
    gate = Barrier(8)

    def write(number: int) -> str:
        gate.wait()
        Conversations(folder).ask("", f"new{number}", 1, "x")
        return f"new{number}"

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(write, range(8)))


def test_an_old_file_that_many_open_at_once_is_brought_forward_once(saved: Conversations) -> None:
    made_by_version_1(saved.path)
    wrote = eight_at_once(saved.path.parent)
    assert sorted(ids(saved)) == ["c", *wrote] and questions(saved) == [QUESTION]
    copy = saved.path.with_name("conversations.v1.sqlite")
    assert version_of(copy) == 1 and version_of(saved.path) == VERSION


@pytest.mark.parametrize("round_", range(10))
def test_many_that_find_it_damaged_set_it_aside_once(saved: Conversations, round_: int) -> None:
    say(saved, "", "c", ("one", "1"))
    damage(saved.path, "overwritten")
    wrote = eight_at_once(saved.path.parent)
    assert sorted(ids(saved)) == wrote
    assert len(list(saved.path.parent.glob("*damaged*"))) == 1


def test_a_place_that_cannot_be_used_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "data" / "conversations.sqlite").mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "data"):
        with pytest.raises(StoreError, match=r"conversations\.sqlite cannot be read or written.*RAG_DATA_DIR"):
            Conversations(folder).ask("", "c", 1, "x")


def test_one_that_holds_it_too_long_is_told_in_words(saved: Conversations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 0.05)
    saved.ask("", "c", 1, "one")
    with closing(sqlite3.connect(saved.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            saved.ask("", "c", 2, "two")
        assert questions(saved) == ["one"]  # to read does not wait
    saved.ask("", "c", 2, "two")


def _rewritten(saved: Conversations, change: str) -> None:
    with closing(sqlite3.connect(saved.path)) as database, database:
        database.execute(f"UPDATE turns SET answer = {change}")


@pytest.mark.parametrize("change", ["'{}'", "'not JSON'", "json_set(answer, '$.hits', 7)"])
def test_an_answer_that_this_version_cannot_read_is_shown_as_text(
    saved: Conversations, answer: Answer, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    saved.ask("", "c", 1, QUESTION)
    saved.answer("", "c", 1, answer)
    _rewritten(saved, change)
    [turn] = saved.turns("", "c")
    assert turn.answer is not None and turn.answer.text == answer.text and not turn.answer.citations
    assert "Another version" in turn.answer.note and "Another version" in caplog.text
    assert "berths" not in caplog.text
    saved.judge("", "c", 1, True, "", {})
    assert saved.feedback()[0].answer == turn.answer and ids(saved, "berths") == ["c"]


def test_an_answer_with_fields_of_a_later_version_is_read(saved: Conversations, answer: Answer) -> None:
    saved.ask("", "c", 1, QUESTION)
    saved.answer("", "c", 1, answer)
    _rewritten(saved, "json_set(answer, '$.later', 1, '$.hits[0].later', 'x')")
    assert saved.turns("", "c")[0].answer == answer


# --- Many at once, and ends that come early -----------------------------------------------------------------------


def test_many_threads_lose_nothing(saved: Conversations) -> None:
    def talk(number: int) -> None:
        say(saved, "", f"c{number}", *((f"{number} {turn}", "yes") for turn in range(10)))
        assert len(saved.turns("", f"c{number}")) == 10 and saved.listed("")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(talk, range(8)))
    assert sorted(one.turns for one in saved.listed("")) == [10] * 8
    assert all(turn.answer for number in range(8) for turn in saved.turns("", f"c{number}"))


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True], ids=["a new file", "an old file"])
def test_processes_that_start_at_once_lose_nothing(saved: Conversations, old: bool) -> None:
    if old:
        made_by_version_1(saved.path)
    code = "print('ready', flush=True); sys.stdin.readline()\n"
    code += "say(saved, '', f'p{os.getpid()}', *((f'{turn}', 'yes') for turn in range(20)))"
    running = [in_another_process(code, saved.path.parent) for _ in range(3)]
    assert [process.stdout and process.stdout.readline() for process in running] == ["ready\n"] * 3
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert [saved.turns("", f"p{process.pid}")[-1].position for process in running] == [20] * 3
    assert version_of(saved.path) == VERSION and questions(saved) == [QUESTION] * old
    assert [path.name for path in saved.path.parent.glob("*.v*")] == ["conversations.v1.sqlite"] * old


def _acknowledged(process: subprocess.Popen[str], count: int) -> Iterator[int]:
    assert process.stdout is not None
    for _ in range(count):
        yield int(process.stdout.readline())


@pytest.mark.slow
def test_what_was_kept_survives_kill_9(saved: Conversations) -> None:
    code = "for turn in range(1, 100_000):\n"
    code += "    saved.ask('', 'c', turn, f'{turn}'); saved.answer('', 'c', turn, told(f'{turn}', 'x' * 9000))\n"
    code += "    print(turn, flush=True)"
    for count in (3, 17, 40):
        with in_another_process(code, saved.path.parent) as process:
            last = list(_acknowledged(process, count))[-1]
            process.kill()
        kept = saved.turns("", "c")
        assert [turn.position for turn in kept] == list(range(1, len(kept) + 1)) and len(kept) >= last
        assert all(turn.answer for turn in kept[:last]) and version_of(saved.path) == VERSION
    assert not list(saved.path.parent.glob("*damaged*"))


@pytest.mark.slow
def test_a_full_disk_is_told_in_words_and_loses_nothing(saved: Conversations) -> None:
    say(saved, "", "c", ("one", "1"))
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
    code += "kept, why = 1, ''\n"
    code += "while not why:\n"
    code += "    try: saved.ask('', 'c', kept + 1, 'x' * 3000)\n"
    code += "    except StoreError as error: why = str(error)\n"
    code += "    else: kept += 1\n"
    code += "assert len(saved.turns('', 'c')) == kept\n"
    code += "print(json.dumps([kept, why]))"
    out, errors = in_another_process(code, saved.path.parent).communicate(timeout=60)
    kept, why = json.loads(out or f'[0, "{errors}"]')
    assert kept > 5 and "Free some space" in why
    assert len(saved.turns("", "c")) == kept and version_of(saved.path) == VERSION
    saved.ask("", "c", kept + 1, "with room again")
