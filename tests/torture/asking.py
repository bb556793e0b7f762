"""A program that opens an index, asks, closes it, and does so again until told to stop; prints what went wrong."""

import json
import sys
from pathlib import Path

from tests.torture.bench import Place
from tests.torture.writers import mixed

if __name__ == "__main__":
    place, given, wrong = Place(Path(sys.argv[1])), 0, []
    while not (place.root / "stop").exists():
        with place.rag(auto_ingest=False) as rag:
            wrong += mixed(rag)
        given += 1
        if given == 1:
            print("asking", flush=True)  # noqa: T201
    print(json.dumps([given, wrong]))  # noqa: T201
