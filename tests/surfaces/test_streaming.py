"""A reply that is read as it is made, and given up without waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import pytest

from rag.surfaces.page.streaming import streamed


def test_every_item_arrives_in_order() -> None:
    async def read() -> list[int]:
        return [item async for item in streamed(number for number in range(5))]

    assert asyncio.run(read()) == [0, 1, 2, 3, 4]


def test_giving_up_does_not_wait_for_the_step_at_hand_and_closes_the_generator_after_it() -> None:
    finish, closed = threading.Event(), threading.Event()

    def slow() -> Generator[str, None, None]:
        try:
            yield "first"
            finish.wait(60)
            yield "second"
        finally:
            closed.set()

    async def read_one() -> str:
        items = streamed(slow())
        first = await anext(items)
        waiting = asyncio.ensure_future(anext(items))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return first

    assert asyncio.run(read_one()) == "first"
    assert not closed.is_set()
    finish.set()
    assert closed.wait(60)
