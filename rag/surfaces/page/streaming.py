"""A synchronous iterator read from an event loop, such that giving it up takes no time.

Gradio runs synchronous generators in threads too, but a stop then waits for the step at hand, which with a model can
be a minute, and until then no other question is taken.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import closing, suppress
from typing import TypeVar

T = TypeVar("T")


async def streamed(items: Generator[T, None, None]) -> AsyncIterator[T]:
    """The items, made in a thread of their own. Once given up, the generator is closed after its current step."""
    loop = asyncio.get_running_loop()
    made: asyncio.Queue[tuple[T, ...]] = asyncio.Queue()
    given_up = threading.Event()

    def hand_over(*item: T) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(made.put_nowait, item)

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    if given_up.is_set():
                        return
                    hand_over(item)
        finally:
            hand_over()

    threading.Thread(target=work, name="answer", daemon=True).start()
    try:
        while item := await made.get():
            yield item[0]
    finally:
        given_up.set()
