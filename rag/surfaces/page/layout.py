"""The page: bar, chat, composer and source panel, and what sets them off."""

import tomllib
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from rag.engine import Rag
from rag.errors import RagError
from rag.surfaces.page import render
from rag.surfaces.page.talk import ASK, Talk

HERE = Path(__file__).parent
PARTS: dict[str, Any] = tomllib.loads((HERE / "page.toml").read_text("utf-8"))
CONCURRENT_ANSWERS = 4  # over all open pages; further questions wait their turn


def mount(app: FastAPI, rag: Rag) -> None:
    """Put the page at "/" of the app; routes added later would not be reached."""
    style, script = ((HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    theme = gr.Theme.load(str(HERE / "theme.json"))  # neutral greys, one accent, system fonts
    head = f"{PARTS['icon']}<script>{script}</script>"
    gr.mount_gradio_app(app, page(rag), theme=theme, css=style, head=head, **PARTS["mount"])


def page(rag: Rag) -> gr.Blocks:
    """The page, not yet served."""
    made = _made(rag)
    with gr.Blocks(title=PARTS["title"], **PARTS["blocks"]) as blocks:
        with gr.Row(elem_id="bar"):
            gr.HTML(lambda: _heading(rag, made), elem_id="heading", padding=False)
            fresh = gr.Button(**PARTS["fresh"])
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="talk", min_width=0):
                starters = [{"text": question} for question in rag.starters()]
                chat = gr.Chatbot(height=None, examples=starters, **PARTS["chat"])
                box = gr.Textbox(submit_btn=ASK, **PARTS["box"])
            with gr.Column(elem_id="side", min_width=0):
                gr.HTML(lambda: _panel(rag), elem_id="panel", padding=False)
        _wire(Talk(rag), chat, box, fresh)
        blocks.load(lambda: _tell_of_repairs(rag), api_visibility="private", show_progress="hidden")
    return blocks.queue(default_concurrency_limit=CONCURRENT_ANSWERS, max_size=64)


def _wire(talk: Talk, chat: gr.Chatbot, box: gr.Textbox, fresh: gr.Button) -> None:
    """What happens on Enter, on a starter, on retry, on stop and on a new chat."""
    both: dict[str, Any] = {"outputs": [box, chat], "api_visibility": "private", "show_progress": "hidden"}
    slow = both | {"trigger_mode": "once", "concurrency_id": "answers", "concurrency_limit": CONCURRENT_ANSWERS}
    running = [
        box.submit(talk.ask, [box, chat], **slow),
        chat.example_select(talk.start, [chat], **slow),
        chat.retry(talk.again, [chat], **slow),
    ]
    box.stop(talk.stop, [chat], queue=False, cancels=running, **both)
    fresh.click(talk.forget, None, queue=False, cancels=running, js="() => { closePanel(); }", **both)


def _made(rag: Rag) -> str:
    if rag.model == "extractive":
        return "No LLM configured: answers are quoted from the documents."
    return f"Answers by {rag.model}, checked against the documents."


def _heading(rag: Rag, made: str) -> str:
    try:
        count = len(rag.documents())
        state = "1 document." if count == 1 else f"{count} documents."
    except RagError as error:
        state = str(error)
    return f"<h1>{PARTS['title']}</h1><p>{render.escape(f'{made} {state}')}</p>"


def _tell_of_repairs(rag: Rag) -> None:
    if rag.repairs():  # whoever opens the page first is told
        gr.Info("The index was damaged and has been put right from the documents.", title="Index", duration=20)


def _panel(rag: Rag) -> str:
    try:
        listed = [(render.escape(one.title), render.escape(one.source)) for one in rag.documents()]
    except RagError:  # the heading says so
        listed = []
    lines = (PARTS["document"].format(title=title, source=source) for title, source in listed)
    return str(PARTS["panel"].format(documents="".join(lines)))
