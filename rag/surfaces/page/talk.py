"""What the events of the chat do: ask, stop, open a saved conversation, begin a new one.

Each event gives an update for the composer and one for the chat. Those that answer give several, one for each step.
What the page alone knows, `Picks`, comes with the question: page.js keeps it.
"""

from collections.abc import AsyncIterator
from typing import Any, TypedDict

import gradio as gr
from fastapi.concurrency import run_in_threadpool

from rag.answering.types import Turn
from rag.conversations import Conversations
from rag.engine import Rag
from rag.surfaces.page import render
from rag.surfaces.page.desk import user_of
from rag.surfaces.page.replies import Asked, respond, restored
from rag.surfaces.page.streaming import streamed
from rag.surfaces.page.words import words_in

Messages = list[dict[str, Any]]  # as Gradio's chat has them: role and content
Updates = tuple[Any, Any]  # for the composer and for the chat


class Picks(TypedDict, total=False):
    """What was chosen on the page."""

    conversation: str
    language: str
    model: str
    sources: list[str] | None  # None for all
    turn: int | None  # the question that is asked anew, with what followed it forgotten; None for the next one
    question: str  # where it was not typed
    history: list[Turn]  # the conversation before it, without questions that got no answer


class Talk:
    """The chat's events."""

    def __init__(self, rag: Rag, saved: Conversations, i18n: gr.I18n) -> None:
        self._saved, self._i18n = saved, i18n
        offered = {"extractive", rag.settings.llm, *rag.settings.llms} - {rag.model}
        self._by = {rag.model: rag} | {name: rag.with_model(name) for name in offered}
        self._rag = rag

    async def ask(self, message: str, shown: Messages, picks: Picks, request: gr.Request) -> AsyncIterator[Updates]:
        """Answer what was typed."""
        async for updates in self._answer(message, shown, picks, request, value=""):
            yield updates

    async def send(self, shown: Messages, event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        """Answer a question that the page offered, or one again; what was typed meanwhile stays."""
        picks: Picks = event._data
        async for updates in self._answer(picks["question"], shown, picks, request):
            yield updates

    async def open(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A saved conversation; an empty chat where there is none of that name."""
        picks: Picks = event._data
        words, user = words_in(picks["language"]), user_of(request.request)
        turns = await run_in_threadpool(restored, self._rag, self._saved, user, picks["conversation"], words)
        roles = ("user", "assistant")
        shown = [{"role": role, "content": html} for turn in turns for role, html in zip(roles, turn, strict=True)]
        return self._ready(), shown

    def stop(self, shown: Messages, picks: Picks) -> Updates:
        """Keep what was said, and say that it was stopped."""
        if shown and shown[-1]["role"] == "assistant":
            ended = render.stopped(words_in(picks["language"]), _content(shown[-1]))
            shown = [*shown[:-1], {"role": "assistant", "content": ended}]
        return self._ready(), shown

    async def _answer(
        self, question: str, shown: Messages, picks: Picks, request: gr.Request, **emptied: str
    ) -> AsyncIterator[Updates]:
        if not question.strip():
            yield "", gr.skip()
            return
        again = picks.get("turn")
        before = _first(shown, again - 1) if again else shown
        turn = sum(one["role"] == "user" for one in before) + 1
        words, sources = words_in(picks["language"]), picks.get("sources")
        about = tuple(sources) if sources is not None else None
        user = user_of(request.request)
        history = picks.get("history", [])
        asked = Asked(question, turn, bool(again), history, picks["conversation"], user, about, words)
        begun = [*before, {"role": "user", "content": render.asked(question, words)}]
        busy = gr.Textbox(submit_btn=False, stop_btn=self._i18n("stop"), **emptied)
        yield busy, [*begun, {"role": "assistant", "content": render.working(words["searching"])}]
        rag = self._by.get(picks.get("model", ""), self._rag)
        async for reply in streamed(respond(rag, self._saved, asked)):
            yield gr.skip(), [*begun, {"role": "assistant", "content": reply}]
        yield self._ready(), gr.skip()

    def _ready(self) -> gr.Textbox:
        return gr.Textbox(submit_btn=self._i18n("ask"), stop_btn=False)


def _first(shown: Messages, turns: int) -> Messages:
    """The first so many questions, with their replies."""
    places = [place for place, one in enumerate(shown) if one["role"] == "user"]
    return shown[: places[turns]] if turns < len(places) else shown


def _content(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
