"""What a reader can do with the chat: ask, start, retry, stop, begin anew.

Between Gradio's events and `respond`. The messages that the chat shows are the whole state: each carries its own
sources, so that stop, retry and a new chat have nothing else to keep in step.
"""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import gradio as gr

from rag.answering.types import Turn
from rag.engine import Rag
from rag.surfaces.page import render
from rag.surfaces.page.replies import respond
from rag.surfaces.page.streaming import streamed

ASK, STOP = "Ask", "Stop"

Messages = list[dict[str, Any]]  # as Gradio's chat has them: role and content
Updates = tuple[Any, Any]  # for the composer and for the chat


class Talk:
    """The chat's events."""

    def __init__(self, rag: Rag) -> None:
        self._rag = rag

    async def ask(self, message: str, shown: Messages) -> AsyncIterator[Updates]:
        """Answer what was typed."""
        async for updates in self._answer(message, shown, value=""):
            yield updates

    async def start(self, shown: Messages, picked: gr.SelectData) -> AsyncIterator[Updates]:
        """Answer a question that the page offered."""
        async for updates in self._answer(picked.value["text"], shown, value=""):
            yield updates

    async def again(self, shown: Messages) -> AsyncIterator[Updates]:
        """Answer the last question once more; what was typed meanwhile stays."""
        asked = [place for place, one in enumerate(shown) if one["role"] == "user"]
        if asked:
            question = render.plain(_content(shown[asked[-1]]))
            async for updates in self._answer(question, shown[: asked[-1]]):
                yield updates

    def stop(self, shown: Messages) -> Updates:
        """Keep what was said, and say that it was stopped."""
        if shown and shown[-1]["role"] == "assistant":
            shown = [*shown[:-1], {"role": "assistant", "content": render.stopped(_content(shown[-1]))}]
        return _ready(), shown

    def forget(self) -> Updates:
        """An empty chat."""
        return _ready(value=""), []

    async def _answer(self, question: str, shown: Messages, **emptied: str) -> AsyncIterator[Updates]:
        if not question.strip():
            yield "", gr.skip()
            return
        turn = sum(one["role"] == "user" for one in shown) + 1
        begun = [*shown, {"role": "user", "content": render.asked(question)}]
        yield gr.Textbox(submit_btn=False, stop_btn=STOP, **emptied), begun
        async for reply in streamed(respond(self._rag, question, history(shown), turn)):
            yield gr.skip(), [*begun, {"role": "assistant", "content": reply}]
        yield _ready(), gr.skip()


def history(shown: Messages) -> list[Turn]:
    """The conversation as plain text, without questions that got no answer."""
    turns: list[Turn] = []
    for one, after in pairwise(shown):
        question, said = render.plain(_content(one)), render.plain(_content(after))
        if (one["role"], after["role"]) == ("user", "assistant") and said:
            turns += [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
    return turns


def _content(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _ready(**more: str) -> gr.Textbox:
    return gr.Textbox(submit_btn=ASK, stop_btn=False, **more)
