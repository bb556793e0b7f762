"""Rag as LangChain sees it: a retriever and a runnable, for chains of the user's own."""

from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda

from rag.answering.types import Answer
from rag.retrieval.types import Hit


class Retriever(BaseRetriever):
    """Gives the hits of `search` as LangChain documents, best first."""

    search: Callable[[str, int], list[Hit]]
    k: int

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [_document(hit) for hit in self.search(query, self.k)]


def runnable(ask: Callable[..., Answer]) -> Runnable[Any, Answer]:
    """A runnable around `ask`: takes a question, or a mapping of its arguments (`question`, `history`, `sources`)."""
    return RunnableLambda(lambda asked: ask(asked) if isinstance(asked, str) else ask(**asked), name="rag")


def _document(hit: Hit) -> Document:
    fields = hit.to_dict()
    return Document(page_content=fields.pop("text"), id=hit.passage.id, metadata=fields)
