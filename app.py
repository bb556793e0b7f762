"""The browser chat: `python app.py` reads the settings, opens the documents and serves the page."""

from __future__ import annotations

import os
import sys

from rag import Rag, RagError, Settings
from rag.surfaces.server import serve


def main() -> int:
    """Serve until interrupted; 1 when that could not be done."""
    try:
        with Rag(Settings()) as rag:
            serve(rag, on_ready=lambda url: print(f"Open {url} (Ctrl+C stops)", flush=True))  # noqa: T201
    except (RagError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    os._exit(main())  # Python would wait for every thread that waits for a model
