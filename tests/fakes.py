"""Stand-ins for what is slow or foreign: an embedder that hashes words, a chat model that plays a script."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.embeddings import Embeddings
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from rag.retrieval.lexical import words


class HashingEmbeddings(Embeddings):
    """Each word is a fixed random direction, a text is the sum of its words: alike when they share words."""

    model = "hashing"

    def __init__(self, dimensions: int = 64) -> None:
        self.dimensions = dimensions
        self.calls: list[int] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(len(texts))
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        total = np.full(self.dimensions, 0.01)
        for word in words(text):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
            total += np.random.default_rng(seed).normal(size=self.dimensions)
        return list(total / np.linalg.norm(total))


class ScriptedModel(BaseChatModel):
    """Answers with the given texts in turn, in small pieces, and keeps what it was asked."""

    replies: list[str]
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    error: Any = None
    after: int = 0  # characters that are said before the error
    piece: int = 3

    def reply(self, messages: list[BaseMessage]) -> str:
        return self.replies[(len(self.asked) - 1) % len(self.replies)]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = "".join(str(chunk.message.content) for chunk in self._stream(messages, stop, run_manager))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if self.error is not None and not self.after:
            raise self.error
        self.asked.append(messages)
        text = self.reply(messages)
        for at in range(0, len(text), self.piece):
            if self.error is not None and at >= self.after:
                raise self.error
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=text[at : at + self.piece]))
            if run_manager:
                run_manager.on_llm_new_token(text[at : at + self.piece], chunk=chunk)
            yield chunk


class OpenAIServer:
    """A server on loopback that speaks the OpenAI protocol, streaming, and plays one reply; or never does."""

    def __init__(self, reply: str, status: int = 200, hangs: bool = False) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.keys.append(self.headers.get("Authorization"))
                if hangs:
                    outer._closing.wait(60)
                elif status != 200:
                    self._send(status, "application/json", json.dumps({"error": {"message": "no such key"}}))
                elif body.get("stream"):
                    pieces = [reply[at : at + 5] for at in range(0, len(reply), 5)]
                    lines = [f"data: {json.dumps(_chunk({'content': piece}))}\n\n" for piece in pieces]
                    end = f"data: {json.dumps(_chunk({}, 'stop'))}\n\ndata: [DONE]\n\n"
                    self._send(200, "text/event-stream", "".join(lines) + end)
                else:
                    self._send(200, "application/json", json.dumps(_completion(reply)))

            def _send(self, code: int, kind: str, text: str) -> None:
                data = text.encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> OpenAIServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": "scripted", "choices": [choice]}


def _completion(reply: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [choice],
        "usage": usage,
    }
