"""Saved conversations, and what users thought of the answers: one SQLite file in the data folder.

A connection lives for one operation, so threads and processes come and go as they like. The journal is the plain
one, which leaves a single file and works wherever locks do. The SQL is in conversations.toml.
"""

import json
import logging
import re
import sqlite3
import tomllib
import unicodedata
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rag.answering.intent import visible
from rag.answering.types import Answer
from rag.errors import StoreError, in_words
from rag.retrieval.disk import locked

log = logging.getLogger(__name__)

TITLE_CHARS = 80
REASON_CHARS = 2000  # longer reasons are cut
_WAIT_S = 10  # for another thread or process that is writing
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SQL: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_ANSWERS = TypeAdapter(Answer)
VERSION = len(_SQL["steps"])  # of the file


@dataclass(frozen=True, slots=True)
class SavedTurn:
    """A question, and its answer unless that failed, was stopped or is still being made."""

    position: int  # from 1
    question: str
    answer: Answer | None
    liked: bool | None  # None: not judged


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the list of them."""

    id: str
    title: str
    changed: str  # when the last question was asked: ISO 8601, UTC
    turns: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user thought of an answer."""

    at: str  # ISO 8601, UTC
    user: str
    question: str
    reason: str
    liked: bool
    answer: Answer
    settings: dict[str, Any]  # under which it was made


class Conversations:
    """The conversations and feedback of all users; safe to use from many threads and processes.

    A conversation belongs to a user and is named by the browser: 1 to 64 letters, digits, `_` and `-`, else it is a
    ValueError. What is not there, as a conversation that was deleted meanwhile, is silently not changed.
    All methods raise StoreError where the file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        """:param folder: made, as the file in it, when something is first saved."""
        self.path = folder / "conversations.sqlite"

    def ask(self, user: str, conversation: str, position: int, question: str) -> None:
        """Keep a question as the turn at this position, from 1; what stood there and after it is forgotten.

        A new conversation has its first question as title.
        """
        text = _something("question", question)
        self._run("ask", user, conversation, position=position, question=text, title=_shortened(text))

    def answer(self, user: str, conversation: str, position: int, answer: Answer) -> None:
        """Keep an answer, if its question still stands at this position."""
        dumped = _ANSWERS.dump_json(answer).decode()
        told = {"question": answer.question, "text": answer.text, "answer": dumped}
        self._run("answer", user, conversation, position=position, **told)

    def turns(self, user: str, conversation: str) -> list[SavedTurn]:
        """A conversation from its beginning; [] when this user has none of that id."""
        turns, judged = self._run("turns", user, conversation), {None: None, 0: False, 1: True}
        return [SavedTurn(t["position"], t["question"], t["answer"] and _read(t), judged[t["liked"]]) for t in turns]

    def last(self, user: str, conversation: str) -> int:
        """The position of a conversation's last turn; 0 when this user has none of that id."""
        return next((row[0] for row in self._run("last", user, conversation)), 0)

    def listed(self, user: str, search: str = "") -> list[Listed]:
        """A user's conversations, the last changed first: those that hold every word of `search` somewhere."""
        return [Listed(*row) for row in self._run("listed", user, search=visible(search))]

    def rename(self, user: str, conversation: str, title: str) -> None:
        """Give a conversation another title; a long one is shortened."""
        self._run("rename", user, conversation, title=_shortened(_something("title", title)))

    def delete(self, user: str, conversation: str) -> None:
        """Forget a conversation. Feedback on its answers stays."""
        self._run("delete", user, conversation)

    def judge(
        self, user: str, conversation: str, position: int, liked: bool | None, reason: str, settings: Mapping[str, Any]
    ) -> None:
        """Keep what a user thinks of an answer, with the answer and the settings but their keys; None takes it back."""
        plain = json.dumps({name: value for name, value in settings.items() if "key" not in name}, default=str)
        told = {"liked": liked, "reason": visible(reason)[:REASON_CHARS], "settings": plain}
        self._run("unjudge" if liked is None else "judge", user, conversation, position=position, **told)

    def feedback(self) -> list[Feedback]:
        """What all users thought of answers, the newest first."""
        return [
            Feedback(at, user, question, reason, bool(liked), _read(row), json.loads(settings))
            for row in self._run("feedback")
            for at, user, question, reason, liked, settings in [row[:6]]
        ]

    def _run(self, operation: str, user: str = "", conversation: str = "-", **values: Any) -> list[sqlite3.Row]:
        if not _ID.fullmatch(conversation):
            raise ValueError(f"{conversation!r} is no id of a conversation")
        if not 1 <= (position := values.get("position", 1)) < 2**31:
            raise ValueError(f"a turn's position counts from 1 and cannot be {position}")
        values |= {"user": user, "conversation": conversation}
        values["now"] = datetime.now(UTC).isoformat(timespec="microseconds")
        statements = _SQL["operations"][operation]
        try:
            if statements[0].startswith("SELECT") and not self.path.exists():
                return []
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._attempt(statements, values)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(in_words("conversations", path=self.path, error=error)) from error

    def _attempt(self, statements: list[str], values: dict[str, Any], alone: bool = False) -> list[sqlite3.Row]:
        """Run statements as one transaction; where the file is damaged, on a new one, the old one set aside.

        That is done while nobody has the file open: SQLite would lose what others write to it.
        """
        with locked(self.path.parent, shared=not alone, timeout_s=_WAIT_S):
            try:
                return self._transaction(statements, values)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:  # the low byte is the kind of error
                    raise
                if alone:
                    away = self.path.with_suffix(f".damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite")
                    self.path.rename(away)
                    log.warning("%s", in_words("conversations_damaged", path=self.path, away=away))
                    return self._transaction(statements, values)
        return self._attempt(statements, values, alone=True)  # unless another has set it aside meanwhile

    def _transaction(self, statements: list[str], values: dict[str, Any]) -> list[sqlite3.Row]:
        with closing(_connected(self.path)) as database:  # to close it takes back what was not committed
            self._migrate(database)
            database.execute("PRAGMA secure_delete = ON")  # what is deleted is not left in the file's free pages
            database.execute("BEGIN")
            rows = [database.execute(statement, values).fetchall() for statement in statements][-1]
            database.execute("COMMIT")
        return rows

    def _migrate(self, database: sqlite3.Connection) -> None:
        """Bring the file to this program's version, a copy of the old one kept; each step is there whole or not."""
        if _version(database) < VERSION:
            database.execute("BEGIN IMMEDIATE")
            found = _version(database)  # of now: another may have been at it while we waited
            if not found:
                self.path.chmod(0o600)
            elif found < VERSION:
                self._keep_copy(self.path.with_suffix(f".v{found}.sqlite"))
            for statement in chain.from_iterable(_SQL["steps"][found:]):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {max(found, VERSION)}")
            database.execute("COMMIT")
        if (found := _version(database)) > VERSION:
            raise StoreError(in_words("conversations_newer", path=self.path, found=found, known=VERSION))

    def _keep_copy(self, copy: Path) -> None:
        copy.unlink(missing_ok=True)  # what was cut off before
        copy.touch(0o600)
        with closing(_connected(self.path)) as source, closing(_connected(copy)) as target:
            source.backup(target)


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.create_function("holds", 2, _holds, deterministic=True)
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _holds(text: str, search: str) -> bool:
    held, *words = (unicodedata.normalize("NFKC", one).casefold() for one in (text, *search.split()))
    return all(word in held for word in words)


def _read(row: sqlite3.Row) -> Answer:
    """The answer of a row; its text alone where another version of the program wrote what this one cannot read."""
    try:
        return _ANSWERS.validate_json(row["answer"])
    except ValueError:  # its message would hold what the documents say, which stays out of logs
        log.warning("%s", note := in_words("answer_unreadable"))
        question = row["question"]
        return Answer(question, question, row["text"], False, "", 0.0, (), (), "", 0.0, note)


def _something(what: str, text: str) -> str:
    if not (seen := visible(text)):
        raise ValueError(f"the {what} is empty; type one")
    return seen


def _shortened(text: str) -> str:
    return text if len(text) <= TITLE_CHARS else text[: TITLE_CHARS - 1].rstrip() + "\u2026"
