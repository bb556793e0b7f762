"""Forms to fill in, written as Jinja templates beside the code that fills them.

What is filled in is shown as it is, whatever it holds: only a form makes markup.
"""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup


def form(text: str, literal: Callable[[str], str]) -> Any:
    """The macros of a template, as functions; `literal` makes of foreign text what is read as that text."""

    def shown(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(literal(str(value)))

    made = Environment(autoescape=True, finalize=shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return made.from_string(text).module
