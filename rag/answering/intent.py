"""What kind of message this is: a question about facts, about the whole, or no question to the documents at all."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Intent = Literal["greeting", "thanks", "system", "overview", "fact"]

_WHOLE = (
    "(?:this|it|that|everything|all|(?:the|this|these|those|that|my|your|all(?: of)? the) (?:whole |entire )?"
    "(?:articles?|documents?|texts?|files?|papers?|reports?|page|folder|corpus|collection|story))"
)
_POLITE = "(?:(?:please|can you|could you|would you|kindly|briefly|in (?:short|brief|a few (?:words|sentences))) ?)*"
_DIGEST = (
    "(?:brief |short |quick )?"
    "(?:summary|overview|gist|tl;?dr|takeaways|(?:key|main) (?:points?|ideas?|messages?|topics?|takeaways?))"
)
_LENGTH = r"(?: in (?:\w+ )?(?:words?|sentences?|lines?|paragraphs?|(?:bullet )?points?|bullets))?"

# Each is matched against the whole message, in lower case, without its punctuation.
_PATTERNS: tuple[tuple[Intent, str], ...] = (
    ("greeting", "(?:hi|hello|hey|hiya|greetings|howdy)(?: (?:there|all|everyone))?"),
    ("greeting", "good (?:morning|afternoon|evening|day|night)|(?:bye|goodbye|see you)(?: (?:later|soon))?"),
    ("greeting", "你好|您好|嗨|再见"),
    ("thanks", "(?:ok(?:ay)? |many |great )?(?:thanks|thank you|thx|ty|cheers)(?: (?:very much|so much|a lot|again))?"),
    ("thanks", "great|perfect|ok(?:ay)?|谢谢|多谢|好的"),
    ("system", "(?:who|what) are you|how (?:do|does) (?:you|this|it) work|help(?: me)?|你是谁|你能做什么"),
    ("system", "what(?: else)? can (?:you do|i ask(?: you)?|you (?:answer|help(?: me)? with))"),
    ("system", "what is this (?:page|app|bot|chatbot|tool)"),
    ("overview", f"{_POLITE}(?:summari[sz]e|outline|recap|sum up)(?: {_WHOLE})?(?: for me)?{_LENGTH}(?: {_POLITE})?"),
    ("overview", f"(?:what(?: is|'s| are|'re)|tell me what) {_WHOLE}(?: (?:is|are))?(?: all)? about"),
    ("overview", f"what (?:do|does) {_WHOLE} (?:say|contain|cover|deal with|talk about)|what is in {_WHOLE}"),
    ("overview", f"{_POLITE}(?:(?:give|write|show) (?:me )?)?(?:an? |the )?{_DIGEST}(?: (?:of|from|in) {_WHOLE})?"),
    ("overview", f"what(?: is|'s| are) the {_DIGEST}(?: (?:of|from|in) {_WHOLE})?"),
    ("overview", f"{_POLITE}tell me about {_WHOLE}|what (?:topics|subjects) (?:are covered|does {_WHOLE} cover)"),
    ("overview", "请?(?:总结|概括|概述)(?:一下)?(?:这篇)?(?:文章|文档)?|这篇文章(?:讲|说)了?(?:什么|些什么)"),
)  # fmt: skip
_COMPILED = [(intent, re.compile(pattern)) for intent, pattern in _PATTERNS]
_LEANS_BACK = re.compile(r"\bhow do(?:es)? (?:this|it) work$")  # in a conversation, a question about what was said
_PUNCTUATION = re.compile("[!?.,~\u3002\uff0c\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]+")  # and emoji
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # a terminal's colour codes
_UNSEEN = re.compile(  # and halves of characters, which no encoder takes; what is white space stays, for `split`
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    r"\U000e0000-\U000e007f]"
)


def visible(message: str) -> str:
    """A message without what cannot be seen or printed, its words one space apart."""
    return " ".join(_UNSEEN.sub("", _ESCAPE.sub("", message)).split())


def intent_of(message: str, begun: bool = False) -> Intent:
    """The kind of a message; anything that is not clearly another kind is a question about facts.

    :param begun: whether something was said before, which "it" may stand for.
    """
    plain = unicodedata.normalize("NFKC", message).replace("\u2019", "'").lower()
    plain = " ".join(_PUNCTUATION.sub(" ", plain).split())
    if begun and _LEANS_BACK.search(plain):
        return "fact"
    return next((intent for intent, pattern in _COMPILED if pattern.fullmatch(plain)), "fact")
