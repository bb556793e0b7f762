"""One port for the page and the health check, and the gate and the sign-in in front of all of it.

Knows HTTP and Rag. What is served here are somebody's own documents: to other machines only to who signs in.
"""

import errno
import logging
import os
import signal
import socket
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag.engine import Rag
from rag.errors import ConfigError, CorpusError, RagError, in_words
from rag.settings import Settings, credentials
from rag.surfaces.gate import GIVEN, BodyLimit, Gate, SecurityHeaders, error, http_error, is_loopback
from rag.surfaces.signin import Keys, SignIn, kept_secret

MAX_BODY_BYTES = 8 * 2**20  # a long conversation with its passages
FORM_BYTES = 2**20  # what may come around a file that is sent
SHUTDOWN_S = 1  # an open tab holds a stream that never ends by itself
PATIENCE_S = 5  # for changed documents; while more of them are brought in, questions are answered without them

logger = logging.getLogger(__name__)


def build_app(rag: Rag, host: str | None = None) -> FastAPI:
    """The whole application, to be served on this host: `GET /healthz`, the page at "/", and the gate around both."""
    os.environ.update(GIVEN["environment"])
    from rag.surfaces.page.layout import mount

    app = FastAPI(title="rag", docs_url=None, redoc_url=None)
    errors_as_json(app)

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        """Whether questions can be answered, and from how much."""
        health = rag.health()
        return JSONResponse(health, 200 if health["ready"] else 503)

    @app.post("/gradio_api/upload", include_in_schema=False)
    def upload() -> JSONResponse:
        """Gradio would take any file from anyone; the page sends none."""
        return error(404, "Files cannot be sent here.", "not_found")

    mount(app, rag)  # last: what is added after it is not reached
    _guard(app, rag.settings, rag.settings.host if host is None else host)
    return app


def _guard(app: FastAPI, settings: Settings, host: str) -> None:
    """Put the gate around the app: what is added last is passed first."""
    outside, auth = not is_loopback(host), settings.auth
    keys = Keys(credentials(auth.get_secret_value()), kept_secret(settings.data_dir)) if auth else None
    limits = {"/signin": 10_000, "/page/documents": settings.max_file_mb * 1_000_000 + FORM_BYTES}
    app.add_middleware(SignIn, keys=keys, outside=outside)
    app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES, of_paths=limits)
    app.add_middleware(Gate, hosts={host, *settings.allowed_hosts}, outside=outside)
    app.add_middleware(SecurityHeaders)


def errors_as_json(app: FastAPI) -> None:
    """Have every error of the app's own routes answered as `{"error": {"message", "type", "param"}}`."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, refused: RequestValidationError) -> JSONResponse:
        first = refused.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return error(422, str(first["msg"]), "invalid_request_error", place)

    app.exception_handler(HTTPException)(lambda _, refused: http_error(refused))
    app.exception_handler(ValueError)(lambda _, wrong: error(400, str(wrong), "invalid_request_error"))
    app.exception_handler(CorpusError)(lambda _, failed: error(404, str(failed), "not_found"))
    app.exception_handler(RagError)(lambda _, failed: error(503, str(failed), type(failed).__name__))


def serve(
    rag: Rag, host: str | None = None, port: int | None = None, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until interrupted; `on_ready` is called with the address once the page is made."""
    host = rag.settings.host if host is None else host
    if not (is_loopback(host) or rag.settings.auth):
        logger.warning(in_words("no_sign_in", host=host))
    rag.documents()  # builds the index, or says why it cannot be, before anyone connects
    rag.wait_at_most(PATIENCE_S)
    with _listen(host, rag.settings.port if port is None else port) as listener:
        name = f"[{host.strip('[]')}]" if ":" in host else host
        url = f"http://{name}:{listener.getsockname()[1]}"

        def made() -> FastAPI:  # within the loop: without one, Gradio makes loops that it never closes
            app = build_app(rag, host)
            if on_ready:  # who comes at once is kept waiting for a moment, as the port is open already
                on_ready(url)
            return app

        config = uvicorn.Config(made, log_config=None, timeout_graceful_shutdown=SHUTDOWN_S, **GIVEN["uvicorn"])
        logging.getLogger("uvicorn.error").addFilter(_tells_something)
        with suppress(KeyboardInterrupt):
            _Server(config).run(sockets=[listener])


def _tells_something(record: logging.LogRecord) -> bool:
    """Not so of the trace of a stream that ends because the server does."""
    cause = record.exc_info[1] if record.exc_info else None
    return not isinstance(cause, CancelledError) and "CancelledError" not in record.getMessage()


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Being told to end is taken like Ctrl-C: `serve` returns, and the index is let go of."""
        super().handle_exit(signal.SIGINT, frame)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; a ConfigError if that is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except (OSError, OverflowError) as failed:
        why = "is in use" if getattr(failed, "errno", None) == errno.EADDRINUSE else f"cannot be used ({failed})"
        raise ConfigError(in_words("port_taken", port=port, host=host, why=why)) from failed
