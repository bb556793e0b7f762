"""What is said when nothing was asked: one line, and three questions that the documents answer."""

import json
import logging
from pathlib import Path

from rag.answering.intent import Intent
from rag.answering.phrases import said
from rag.retrieval.generation import Generation

log = logging.getLogger(__name__)

FILE = ".starters.json"  # in the corpus folder: {source: [question, ...]}, for those who want to choose them
_COUNT = 3
_OPENINGS: dict[Intent, str] = {
    "greeting": "Hello. Ask a question about the documents, for example:",
    "thanks": "You are welcome. There is more to ask, for example:",
    "system": "I answer questions from the documents in the folder, and quote the sentences that each answer rests on. "
    "Ask, for example:",
}


def small_talk(message: str, intent: Intent, questions: tuple[str, ...]) -> str:
    """One line for a greeting, thanks or a question about the system, with questions that can be asked."""
    return " ".join([said(_OPENINGS[intent], message), *(f"\u201c{question}\u201d" for question in questions)])


def starters(generation: Generation, corpus: Path) -> tuple[str, ...]:
    """Three questions: those written down for the documents that are there, else made from their headings."""
    written = _written(corpus / FILE)
    chosen = [question for source in generation.documents for question in written.get(source, ())]
    places = dict.fromkeys((p.title, p.section) for p in generation.passages)
    made = (_about(title, section.split(" > ")[-1]) for title, section in places)
    return tuple(dict.fromkeys([*chosen, *made]))[:_COUNT]


def _about(title: str, section: str) -> str:
    return f"What is said about \u2018{section}\u2019?" if section else f"What does \u2018{title}\u2019 say?"


def _written(file: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(file.read_text("utf-8"))
        return {str(source): [str(question) for question in questions] for source, questions in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.warning("%s cannot be used (%s): it must map each document to a list of questions.", file, error)
        return {}
