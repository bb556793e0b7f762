"""A model's Markdown as HTML that can only format: emphasis, lists, tables, code. Never links, images or HTML.

Knows nothing of answers. Text and code come out as entities, so that nothing reads them as markup again.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

OPEN, CLOSE = "\ue000", "\ue001"  # around a mark on its way through Markdown; foreign text loses these characters
UNSUPPORTED = "x"

_ACTIVE = re.compile(r"[^\w ]|_|[\u0080-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u3000]")
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000\ue001\ufffe\uffff]")
_OFF = ("link", "image", "autolink", "html_inline", "html_block", "reference", "entity", "lheading")


def escape(text: str) -> str:
    """The text on one line, all but letters, digits and spaces as entities; U+FFFD for what cannot be shown."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", _UNSHOWABLE.sub("\ufffd", text))


def markdown_html(pieces: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The pieces, joined, as HTML on one line; the marks of each piece stand behind it, between OPEN and CLOSE."""
    text = "".join(marked(_UNSHOWABLE.sub("\ufffd", piece), " ".join(map(_sentinel, marks))) for piece, marks in pieces)
    parser = _parser()
    tokens = parser.parse(text)
    for token in _all(tokens):
        token.attrs = {name: value for name, value in token.attrs.items() if name == "start"}
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html.replace("\n", "")  # between blocks only: those of the text are entities


def marked(piece: str, marks: str) -> str:
    """The piece with its marks where Markdown keeps them: in the last cell of a row, after the end of a code block."""
    if not marks:
        return piece
    if piece.endswith("|"):
        return f"{piece[:-1]} {marks} |"
    return f"{piece}\n\n{marks}" if piece.endswith(("```", "~~~")) else f"{piece} {marks}"


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable(_OFF)
    block = "<pre><code>{}</code></pre>"
    forms = {"text": "{}", "code_inline": "<code>{}</code>", "code_block": block, "fence": block, "softbreak": " "}
    for name, form in forms.items():
        parser.add_render_rule(name, _rule(form))
    return parser


def _sentinel(mark: str) -> str:
    return f"{OPEN}{mark}{CLOSE}"


def _all(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _escape_but_marks(text: str) -> str:
    parts = re.split(f"({OPEN}(?:[0-9]+|{UNSUPPORTED}){CLOSE})", text)
    return "".join(part if number % 2 else escape(part) for number, part in enumerate(parts))


def _rule(form: str) -> Callable[..., str]:
    return lambda self, tokens, index, options, env: form.format(_escape_but_marks(tokens[index].content))
