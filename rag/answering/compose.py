"""From an answerer's drafts to an answer: each sentence checked, cited by exact quote, and put in its place.

The only maker of citations. What it says is supported was either copied from the document or judged by the grounder.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from rag.answering.grounding import Grounder
from rag.answering.types import Citation, Declined, Draft, Evidence, Said, Sentence
from rag.retrieval.lexical import words
from rag.retrieval.types import Hit

_WORD = re.compile(r"[\w.,%'\u2019-]*\w%?")
_MARKUP = re.compile(r"[*_`|]+")


class Composition:
    """An answer in the making."""

    def __init__(self, grounder: Grounder, hits: Sequence[Hit]) -> None:
        self._grounder = grounder
        self._hits = hits
        self._cited: dict[tuple[str, int, int], Citation] = {}
        self.text = ""
        self.sentences: list[Sentence] = []
        self.declined: str | None = None  # the reason, once there is one

    def add(self, drafts: Iterable[Draft | Declined]) -> Iterator[Said]:
        """Check the drafts as they come; the sentences that may be shown, one by one.

        Nothing is given out before a sentence is supported: an answer of which nothing holds is no answer.
        """
        held: list[Said] = []
        for draft in drafts:
            if isinstance(draft, Declined):
                self.declined = draft.reason
                return
            held += self._place(draft)
            if self._holds:
                yield from held
                held = []
        if not self._holds:
            self.declined = "The model gave an answer, but the documents bear out none of it."

    @property
    def _holds(self) -> bool:
        return any(sentence.supported for sentence in self.sentences)

    def _place(self, draft: Draft) -> list[Said]:
        self.text += draft.lead if self.text else draft.lead.lstrip()
        if not draft.text:
            return []
        evidence = self._evidence(draft)
        start = len(self.text)
        citations = tuple(self._cite(draft.text, found) for found in evidence)
        marks = "".join(f"[{number}]" for number in dict.fromkeys(c.number for c in citations))
        self.text += f"{draft.text} {marks}" if marks else draft.text
        self.sentences.append(Sentence(draft.text, start, start + len(draft.text), citations, bool(citations)))
        return [Said(self.sentences[-1], self.text)]

    def _evidence(self, draft: Draft) -> list[Evidence]:
        """What bears the draft out: its own claim if it is a copy; else what the grounder finds where it points, or
        anywhere among the hits, since models misnumber.
        """
        copied = [found for found in draft.evidence if " ".join(found.text.split()) == draft.text]
        if copied:
            return copied
        claim = _MARKUP.sub("", draft.text)
        pointed = [self._hits[n - 1] for n in draft.cited if 1 <= n <= len(self._hits)]
        found = [evidence for hit in pointed if (evidence := self._grounder.ground(claim, [hit]))]
        if not found and (evidence := self._grounder.ground(claim, self._hits)):
            found = [evidence]
        return found

    def _cite(self, claim: str, found: Evidence) -> Citation:
        hit, quote = found.hit, found.text
        place = (hit.source, *found.span)
        if place not in self._cited:
            heads = len(self._cited) + 1, hit.source, hit.title, hit.section, hit.page
            self._cited[place] = Citation(*heads, *found.span, quote, _shared_stretch(claim, quote))
        return self._cited[place]


def _shared_stretch(claim: str, quote: str) -> tuple[int, int]:
    """From the first to the last word of the quote that the claim shares; all of it when none is."""
    shared = set(words(claim))
    spans = [match.span() for match in _WORD.finditer(quote) if shared & set(words(match.group()))]
    return (spans[0][0], spans[-1][1]) if spans else (0, len(quote))
