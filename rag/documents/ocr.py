"""The text of a scanned page, as Tesseract reads it, where it is installed: a program of its own."""

import subprocess
from functools import partial

from rag.errors import UnreadableDocument, in_words

WIDTH = 1700  # pixels: 200 to the inch of a letter page; more took longer and read no better


def recognised(picture: bytes, languages: str) -> str:
    """The text in a picture, paragraphs with a blank line between them; lines end in newline.

    :param languages: by Tesseract's names, such as eng or eng+chi_sim.
    """
    run = partial(subprocess.run, input=picture, capture_output=True, check=True)
    try:
        return str(run(["tesseract", "-", "-", "-l", languages]).stdout.decode("utf-8", "replace")).strip("\n\f ")
    except FileNotFoundError as error:
        raise UnreadableDocument(in_words("no_tesseract")) from error
    except subprocess.CalledProcessError as error:
        why = " ".join(error.stderr.decode("utf-8", "replace").split())[:200]
        raise UnreadableDocument(in_words("ocr_failed", why=why)) from error
