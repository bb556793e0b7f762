"""A program that brings an index in step, for the torture to interrupt: `python -m tests.torture.ingest FOLDER`."""

import sys
from pathlib import Path

from tests.torture.bench import Place

if __name__ == "__main__":
    with Place(Path(sys.argv[1])).rag() as rag:
        rag.ingest()
