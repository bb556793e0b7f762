"""What the page says, in each language that it speaks: `words.toml`."""

import tomllib
from pathlib import Path
from typing import Final

Words = dict[str, str]

WORDS: Final[dict[str, Words]] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))


def words_in(language: str) -> Words:
    """The words of a language, such as "zh" or "zh-CN"; English for all that the page does not speak."""
    return WORDS.get(language.partition("-")[0].lower(), WORDS["en"])
