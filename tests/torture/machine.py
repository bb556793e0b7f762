"""Any sequence of what happens to a corpus and its index, against a dictionary of texts."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.errors import NonInteractiveExampleWarning
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rag import CorpusError, Rag
from tests.torture.bench import Figures, Place, State, brought_in, must, outcome, run, text
from tests.torture.kills import die_at_step

NAMES = st.sampled_from([f"d{i}.md" for i in range(6)])


class Life(RuleBasedStateMachine):
    """A corpus that is edited, an index that is killed and damaged, and answers that must be right all the same."""

    root: Path  # set by `torture`
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.root, ignore_errors=True)
        self.place = Place(self.root)
        self.texts: State = {}
        self.version = 0

    @initialize()
    def begin(self) -> None:
        self._put("always.md")

    def _put(self, source: str) -> None:
        self.version += 1
        self.texts[source] = text(source.removesuffix(".md"), self.version, 1 + self.version % 3)
        self.place.put(self.texts)

    @rule(source=NAMES)
    def add_or_edit(self, source: str) -> None:
        self._put(source)

    @rule(source=NAMES)
    def remove(self, source: str) -> None:
        self.texts.pop(source, None)
        self.place.put(self.texts)

    @rule(source=NAMES, other=NAMES)
    def rename(self, source: str, other: str) -> None:
        if source in self.texts and other not in self.texts:
            self.texts[other] = self.texts.pop(source)
            (self.place.corpus / source).rename(self.place.corpus / other)

    @rule(source=NAMES)
    def delete(self, source: str) -> None:
        def act() -> None:
            with self.place.rag() as rag:
                rag.delete(source)

        known = source in self.texts
        self.texts.pop(source, None)
        ended = run(act)
        assert not ended.signal and (not ended.error or (not known and CorpusError.__name__ in ended.error)), ended

    @rule(rebuild=st.booleans())
    def ingest(self, rebuild: bool) -> None:
        must(lambda: self._ingest(rebuild))

    @rule(step=st.integers(1, 130), rebuild=st.booleans())
    def kill_an_ingest(self, step: int, rebuild: bool) -> None:
        def act() -> None:
            die_at_step(self.place, step)
            self._ingest(rebuild)

        ended = run(act)
        assert ended.killed or not (ended.error or ended.signal), ended

    @precondition(lambda self: self.place.index.exists())
    @rule(seed=st.integers(0, 10_000))
    def damage_a_byte(self, seed: int) -> None:
        chance = random.Random(seed)
        files = sorted(path for path in self.place.index.rglob("*") if path.is_file() and path.stat().st_size)
        file = chance.choice(files)
        data = bytearray(file.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)

    @rule()
    def ask(self) -> None:
        assert not (wrong := brought_in(self.place, self.texts)), wrong

    @rule(source=NAMES)
    def ask_for_what_is_gone(self, source: str) -> None:
        if source in self.texts:
            return

        def look() -> list[str]:
            with self.place.rag() as rag:
                hits = rag.search(f"berth quay {source}", k=100)
            return [f"{hit.source} is back" for hit in hits if hit.source not in self.texts]

        assert not (wrong := outcome(look)), wrong

    @invariant()
    def count(self) -> None:
        type(self).steps += 1

    def _ingest(self, rebuild: bool) -> None:
        with self.place.rag() as rag:
            Rag.ingest(rag, rebuild=rebuild)

    def teardown(self) -> None:
        if self.texts:
            assert not (wrong := brought_in(self.place, self.texts)), wrong


def torture(root: Path, short: bool = False) -> Figures:
    figures = Figures("any sequence of events")
    Life.root = root / "life"
    chosen = settings(
        max_examples=3 if short else 15,
        stateful_step_count=8 if short else 25,
        deadline=None,
        database=None,
        derandomize=short,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonInteractiveExampleWarning)
        try:
            run_state_machine_as_test(Life, settings=chosen)
        except Exception as error:  # whatever hypothesis found, it is told
            wrong = ["\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])]
    figures.add("steps", wrong, Life.steps)
    return figures
