"""The page: bar, chat, composer and source panel, and what sets them off."""

from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from rag.engine import Rag
from rag.errors import RagError
from rag.surfaces.page import render
from rag.surfaces.page.talk import ASK, Talk

TITLE = "Ask the documents"
HERE = Path(__file__).parent

CONCURRENT_ANSWERS = 4  # over all open pages; further questions wait their turn


def mount(app: FastAPI, rag: Rag) -> None:
    """Put the page at "/" of the app; routes added later would not be reached."""
    gr.mount_gradio_app(
        app,
        page(rag),
        path="/",
        theme=gr.Theme.load(str(HERE / "theme.json")),  # neutral greys, one accent, system fonts
        css=_file("page.css"),
        head=f"{_file('icon.html')}<script>{_file('page.js')}</script>",
        footer_links=[],
        allowed_paths=[],
        max_file_size=1,
        **dict.fromkeys(("run_history", "show_error", "enable_monitoring", "ssr_mode", "pwa", "mcp_server"), False),
    )


def page(rag: Rag) -> gr.Blocks:
    """The page, not yet served."""
    talk, made = Talk(rag), _made(rag)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, fill_height=True) as blocks:
        with gr.Row(elem_id="bar"):
            gr.HTML(lambda: _heading(rag, made), elem_id="heading", padding=False)
            fresh = gr.Button("New chat", elem_id="new-chat", size="sm", scale=0, min_width=90)
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="talk", min_width=0):
                chat = _chat(rag)
                box = gr.Textbox(
                    placeholder="Ask about the documents",
                    show_label=False,
                    label="Your question",
                    container=False,
                    max_lines=8,
                    autofocus=True,
                    submit_btn=ASK,
                    elem_id="box",
                )
            with gr.Column(elem_id="side", min_width=0):
                gr.HTML(lambda: _panel(rag), elem_id="panel", padding=False)
        _wire(talk, chat, box, fresh)
        blocks.load(lambda: _tell_of_repairs(rag), api_visibility="private", show_progress="hidden")
    return blocks.queue(default_concurrency_limit=CONCURRENT_ANSWERS, max_size=64)


def _chat(rag: Rag) -> gr.Chatbot:
    return gr.Chatbot(
        label="Conversation",
        layout="panel",
        height=None,
        elem_id="chat",
        buttons=["copy"],
        placeholder='<div class="welcome">What would you like to know?</div>',
        examples=[{"text": question} for question in rag.starters()],
        latex_delimiters=[],
        sanitize_html=True,
        **dict.fromkeys(("show_label", "container", "allow_tags", "line_breaks", "group_consecutive_messages"), False),
    )


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
    return f"<h1>{TITLE}</h1><p>{render.escape(f'{made} {state}')}</p>"


def _tell_of_repairs(rag: Rag) -> None:
    if rag.repairs():  # whoever opens the page first is told
        gr.Info("The index was damaged and has been put right from the documents.", title="Index", duration=20)


def _panel(rag: Rag) -> str:
    line = '<li>{} <span class="place">{}</span></li>'
    try:
        listed = [line.format(render.escape(one.title), render.escape(one.source)) for one in rag.documents()]
    except RagError:  # the heading says so
        listed = []
    return _file("panel.html").replace("\n", "").replace("$documents", "".join(listed))


def _file(name: str) -> str:
    return (HERE / name).read_text("utf-8")
