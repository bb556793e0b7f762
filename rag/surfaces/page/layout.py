"""The page: documents and conversations, chat and composer, source panel, and what sets them off."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from rag.conversations import Conversations
from rag.documents.readers import SUFFIXES
from rag.engine import Rag
from rag.surfaces.page.desk import add_routes
from rag.surfaces.page.talk import Talk
from rag.surfaces.page.words import WORDS, words_in

HERE = Path(__file__).parent
PARTS: dict[str, Any] = tomllib.loads((HERE / "page.toml").read_text("utf-8"))
HTML = dict(re.findall(r"<!-- (\w+) -->\n(.*?)(?=<!-- |\Z)", (HERE / "parts.html").read_text("utf-8"), re.DOTALL))
STYLES = ("colours.css", "page.css", "shelf.css")
SCRIPTS = ("page.js", "source.js", "shelf.js")
CONCURRENT_ANSWERS = 4  # over all open pages; further questions wait their turn
JS = PARTS["js"]


def mount(app: FastAPI, rag: Rag) -> None:
    """Put the page at "/" of the app; routes added later would not be reached."""
    saved = Conversations(rag.settings.data_dir)
    add_routes(app, rag, saved)
    i18n = gr.I18n(**WORDS, **{"zh-CN": WORDS["zh"]})
    colours, *styles = ((HERE / name).read_text("utf-8") for name in STYLES)
    style = f"{colours}\n:root:root {{ {' '.join(styles)} }}"  # nested, they outweigh Gradio's own rules
    scripts = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    told = {"words": WORDS, "limitMb": rag.settings.max_file_mb, "suffixes": SUFFIXES, "parts": HTML}
    told |= {"signedIn": rag.settings.auth is not None}
    given = json.dumps(told).replace("<", "\\u003c")
    head = f"{PARTS['icon']}<style>{style}</style><script>window.given = {given};\n{scripts}</script>"
    theme = gr.Theme.load(str(HERE / "theme.json"))  # neutral greys, one accent, system fonts
    gr.mount_gradio_app(app, page(rag, saved, i18n), theme=theme, head=head, i18n=i18n, **PARTS["mount"])


def page(rag: Rag, saved: Conversations, i18n: gr.I18n) -> gr.Blocks:
    """The page, not yet served."""
    with gr.Blocks(title=WORDS["en"]["title"], **PARTS["blocks"]) as blocks:
        chat = gr.Chatbot(height=None, label=i18n("conversation"), **PARTS["chat"])
        words = {"label": i18n("question_label"), "placeholder": i18n("ask_about"), "submit_btn": i18n("ask")}
        box = gr.Textbox(**words, **PARTS["box"])
        relay = gr.HTML(HTML["tools"], js_on_load=JS["relay"], elem_id="tools", padding=False)
        _wire(Talk(rag, saved, i18n), chat, box, relay)
        blocks.load(_telling(rag), **PARTS["quiet"])
    return blocks.queue(default_concurrency_limit=CONCURRENT_ANSWERS, max_size=64)


def _wire(talk: Talk, chat: gr.Chatbot, box: gr.Textbox, relay: gr.HTML) -> None:
    """What happens on Enter, on a question that the page offers, on stop, and when a conversation is opened."""
    both: dict[str, Any] = {"outputs": [box, chat], **PARTS["quiet"]}
    slow = both | {"trigger_mode": "once", "concurrency_id": "answers", "concurrency_limit": CONCURRENT_ANSWERS}
    running = [
        box.submit(talk.ask, [box, chat, relay], js=JS["asking"], **slow),
        relay.submit(talk.send, [chat], **slow),
    ]
    for event in running:
        event.then(None, js=JS["settled"])
    stopping = {"queue": False, "cancels": running} | both
    box.stop(talk.stop, [chat, relay], js=JS["picks"], **stopping).then(None, js=JS["settled"])
    opening = relay.select(talk.open, None, **stopping)
    opening.success(None, js=JS["opened"])
    opening.then(None, js=JS["not_opened"])


def _telling(rag: Rag) -> Callable[[gr.Request], None]:
    def tell_of_repairs(request: gr.Request) -> None:
        if rag.repairs():  # whoever opens the page first is told
            gr.Info(words_in(request.headers.get("accept-language", ""))["repaired"], duration=20)

    return tell_of_repairs
