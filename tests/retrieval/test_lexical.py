"""BM25 against its formula, and the words that it counts."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieval.lexical import LexicalIndex, best, words

TEXTS = [
    "The harbour has 14 berths and a harbour master.",
    "Ferries leave the harbour at 07:40, and one ferry returns at noon.",
    "The bakery sells 400 loaves a day. Loaves of rye, loaves of wheat.",
    "Ren\u00e9 Br\u00fbl\u00e9 opened the bakery.",
    "阿里巴巴集团总部在杭州",
    "The turnover was 1,070,000 crowns, a growth of 1.07 percent.",
    "It is what it was.",
]


@pytest.fixture(scope="module")
def index() -> LexicalIndex:
    return LexicalIndex.build(TEXTS)


def _search(index: LexicalIndex, query: str, k: int, allowed: np.ndarray | None = None) -> list[tuple[int, float]]:
    """The `k` best passages: (position, score), best first."""
    scores = index.scores(query) * (1 if allowed is None else allowed)
    return [(row, float(scores[row])) for row in best(scores, k)]


def _bm25(query: list[str], texts: list[list[str]], owners: list[int] | None = None) -> list[float]:
    """The score of a text that shares a word with the query, and half that of the document that it is of."""
    owners = owners or list(range(len(texts)))
    documents = [
        [word for text, owner in zip(texts, owners, strict=True) if owner == number for word in text]
        for number in range(max(owners) + 1)
    ]
    own, whole = _plain_bm25(query, texts), _plain_bm25(query, documents)
    return [score and score + 0.5 * whole[owner] for score, owner in zip(own, owners, strict=True)]


def _plain_bm25(query: list[str], texts: list[list[str]], k1: float = 0.9, b: float = 0.4) -> list[float]:
    """Lucene's BM25, written out: idf * tf / (tf + k1 * (1 - b + b * length / mean length)), summed over the query."""
    mean = sum(map(len, texts)) / len(texts)
    scores = []
    for text in texts:
        counts, total = Counter(text), 0.0
        for word in query:
            n = sum(word in other for other in texts)
            idf = math.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
            total += idf * counts[word] / (counts[word] + k1 * (1 - b + b * len(text) / mean))
        scores.append(total)
    return scores


# --- Scores -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["harbour", "harbour ferry noon", "loaves of rye", "loaves loaves", "杭州", "1.07"])
def test_scores_follow_the_formula(index: LexicalIndex, query: str) -> None:
    expected = _bm25(words(query), [words(text) for text in TEXTS])

    found = dict(_search(index, query, 100))

    assert found == pytest.approx({i: score for i, score in enumerate(expected) if score > 0}, rel=1e-5)


def test_a_worked_example() -> None:
    """All passages have the mean length, 2; of the documents, of mean length 3, one has 4 words and one 2."""
    index = LexicalIndex.build(["oak elm", "ash fir", "oak yew"], [0, 0, 1])
    own = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5)) / (1 + 0.9)
    idf = math.log(1 + (2 - 2 + 0.5) / (2 + 0.5))
    longer, shorter = idf / (1 + 0.9 * (0.6 + 0.4 * 4 / 3)), idf / (1 + 0.9 * (0.6 + 0.4 * 2 / 3))

    assert _search(index, "oak", 10) == [
        (2, pytest.approx(own + shorter / 2)),
        (0, pytest.approx(own + longer / 2)),
    ]


_WORDS = st.lists(st.sampled_from("oak elm ash fir yew".split()), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(_WORDS, min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.sampled_from("oak elm ash fir yew box".split()), min_size=1, max_size=4),
)
def test_scores_follow_the_formula_for_any_documents(documents: list[list[list[str]]], query: list[str]) -> None:
    texts = [text for document in documents for text in document]
    owners = [number for number, document in enumerate(documents) for _ in document]
    expected = _bm25(query, texts, owners)

    index = LexicalIndex.build([" ".join(text) for text in texts], owners)
    found = _search(index, " ".join(query), 20)

    assert index.scores(" ".join(query)) == pytest.approx(expected, rel=1e-5)
    assert dict(found) == pytest.approx({i: score for i, score in enumerate(expected) if score > 0}, rel=1e-5)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_of_two_equal_passages_that_of_the_document_about_it_comes_first() -> None:
    texts = ["It opens at nine.", "Rye bread.", "It opens at nine.", "The harbour: berths of the harbour."]
    texts[0] = texts[2] = "The harbour opens at nine."

    apart = dict(_search(LexicalIndex.build(texts), "harbour", 10))
    together = _search(LexicalIndex.build(texts, [0, 0, 1, 1]), "harbour", 10)

    assert apart[0] == apart[2]
    assert [i for i, _ in together] in ([3, 2, 0], [2, 3, 0])
    assert dict(together)[2] > dict(together)[0]


def test_a_passage_without_a_shared_word_gets_nothing_from_its_document() -> None:
    index = LexicalIndex.build(["The harbour, the harbour.", "Rye bread."], [0, 0])

    assert index.scores("harbour")[1] == 0
    assert [i for i, _ in _search(index, "harbour", 10)] == [0]


def test_what_each_word_adds_sums_up_to_the_own_scores(index: LexicalIndex) -> None:
    """Half of each document's score is added by `scores`, and here each passage is a document."""
    query, rows = "harbour ferry loaves loaves zeppelin", np.array([5, 0, 2, 1], dtype=np.int32)

    assert index.parts(query, rows).sum(axis=0) * 1.5 == pytest.approx(index.scores(query)[rows])


@pytest.mark.parametrize("query", ["zeppelin", "the of and", "", "?!", "\U0001f600"])
def test_a_query_without_a_known_word_finds_nothing(index: LexicalIndex, query: str) -> None:
    assert _search(index, query, 10) == []


def test_unknown_words_neither_help_nor_hurt(index: LexicalIndex) -> None:
    assert _search(index, "zeppelin harbour zeppelin", 10) == _search(index, "harbour", 10)


def test_only_passages_that_share_a_word_are_found_and_none_scores_0(index: LexicalIndex) -> None:
    found = _search(index, "harbour bakery", 100)

    assert {i for i, _ in found} == {0, 1, 2, 3}
    assert all(score > 0 for _, score in found)


def test_at_most_k_are_found_best_first(index: LexicalIndex) -> None:
    everything = _search(index, "harbour bakery loaves", 100)

    assert _search(index, "harbour bakery loaves", 2) == everything[:2]
    assert [score for _, score in everything] == sorted((score for _, score in everything), reverse=True)


def test_only_what_is_allowed_is_found_with_its_score_unchanged(index: LexicalIndex) -> None:
    everywhere = dict(_search(index, "harbour bakery", 100))
    allowed = np.array([i in (1, 3, 4) for i in range(len(TEXTS))])

    assert dict(_search(index, "harbour bakery", 100, allowed)) == {i: everywhere[i] for i in (1, 3)}
    assert _search(index, "harbour", 1, allowed) == [(1, everywhere[1])]
    assert _search(index, "harbour", 10, np.zeros(len(TEXTS), dtype=bool)) == []


def test_a_query_of_thousands_of_words_works(index: LexicalIndex) -> None:
    query = "harbour " * 2000 + " ".join(f"unknown{i}" for i in range(5000))

    assert [i for i, _ in _search(index, query, 10)] == [i for i, _ in _search(index, "harbour", 10)]


def test_what_was_saved_answers_as_before(index: LexicalIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "bm25")

    loaded = LexicalIndex.load(tmp_path / "bm25")

    for query in ("harbour ferry", "杭州", "loaves", "zeppelin"):
        assert _search(loaded, query, 10) == _search(index, query, 10)
    LexicalIndex.build(TEXTS, [0, 0, 1, 1, 2, 3, 3]).save(tmp_path / "owned")
    assert _search(LexicalIndex.load(tmp_path / "owned"), "harbour ferry", 10) != _search(index, "harbour ferry", 10)
    assert [loaded.idf(word) for word in words("harbour zeppelin")] == [
        index.idf(word) for word in words("harbour zeppelin")
    ]


# --- Built from another -------------------------------------------------------------------------------------------

_ENGLISH = st.lists(st.sampled_from("oak elm ash fir yew 1,000 \u676d\u5dde".split()), max_size=6)
_GERMAN = st.lists(st.sampled_from("die der und oak Eiche Eichen 1,000".split()), max_size=6)
_TEXT = (_ENGLISH | _GERMAN).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.lists(_TEXT, min_size=1, max_size=8), st.lists(_TEXT, min_size=1, max_size=8))
def test_what_is_built_from_another_equals_what_is_built_anew(
    data: st.DataObject, before: list[str], come: list[str]
) -> None:
    known = LexicalIndex.build(before)
    kept = data.draw(st.lists(st.sampled_from(range(len(before))), unique=True))
    placed = data.draw(st.permutations([*((before[i], i) for i in kept), *((text, None) for text in come)]))
    texts, places = [text for text, _ in placed], [place for _, place in placed]
    owners = sorted(data.draw(st.lists(st.integers(0, 3), min_size=len(texts), max_size=len(texts))))

    built, anew = LexicalIndex.build(texts, owners, known, places), LexicalIndex.build(texts, owners)

    for query in ("oak", "elm fir yew", "1000", "\u676d\u5dde", "box", "ash ash oak", "Wo ist die Eiche?"):
        assert dict(_search(built, query, 20)) == pytest.approx(dict(_search(anew, query, 20)))
        assert [built.idf(word) for word in words(query)] == [anew.idf(word) for word in words(query)]
        assert built.knows(query) == anew.knows(query)
    assert built.vocabulary == anew.vocabulary


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(_TEXT, min_size=1, max_size=4), min_size=1, max_size=6))
def test_a_row_of_builds_saved_and_loaded_in_between_equals_one_build(rounds: list[list[str]]) -> None:
    """Each round puts its texts, as one document, before those of the rounds before it."""
    texts: list[str] = []
    owners: list[int] = []
    known: LexicalIndex | None = None
    for new in rounds:
        places = [*(None for _ in new), *range(len(texts))]
        texts = [*new, *texts]
        owners = [*(0 for _ in new), *(owner + 1 for owner in owners)]
        built = LexicalIndex.build(texts, owners, known, places)
        with tempfile.TemporaryDirectory() as folder:
            built.save(Path(folder) / "bm25")
            known = LexicalIndex.load(Path(folder) / "bm25")

    assert known
    for query in ("oak", "elm fir yew", "1000 \u676d\u5dde", "box"):
        assert dict(_search(known, query, 20)) == pytest.approx(
            dict(_search(LexicalIndex.build(texts, owners), query, 20))
        )


# --- How telling a word is ----------------------------------------------------------------------------------------


def test_the_rarer_a_word_the_more_it_tells(index: LexicalIndex) -> None:
    [harbour, noon, unseen] = words("harbour noon zeppelin")
    size = len(TEXTS)

    assert index.idf(harbour) == pytest.approx(math.log(1 + (size - 2 + 0.5) / 2.5))
    assert index.idf(noon) == pytest.approx(math.log(1 + (size - 1 + 0.5) / 1.5))
    assert index.idf(unseen) == pytest.approx(math.log(1 + (size + 0.5) / 0.5))
    assert index.idf(unseen) > index.idf(noon) > index.idf(harbour) > 0


def test_it_knows_the_words_that_it_holds(index: LexicalIndex) -> None:
    assert all(index.knows(word) for word in words(" ".join(TEXTS)))
    assert not index.knows("zeppelin")


# --- Words --------------------------------------------------------------------------------------------------------


def _finds(query: str, text: str) -> bool:
    index = LexicalIndex.build([text, "nothing to see"])
    return [i for i, _ in _search(index, query, 10)] == [0]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("rene brule", "Ren\u00e9 Br\u00fbl\u00e9"),
        ("Rene\u0301", "REN\u00c9"),
        ("STRASSE", "stra\u00dfe"),
        ("\uff21\uff22\uff23", "abc"),
        ("ACME", "Acme\u2122 Ltd"),
        ("wale", "\U0001d416ale"),
        ("ferries", "a ferry"),
        ("Keller", "Keller\u2019s clock"),
        ("e-commerce", "E-Commerce"),
        ("snake", "snake_case"),
        ("O'Brien", "Brien O"),
        ("eau", "l\u2019eau"),
        ("lodz", "\u0141\xf3d\u017a"),
        ("ISPARTA", "\u0131sparta"),
        ("\u041d\u043e\u0432\u0430\u044f", "\u043d\u043e\u0432\u044b\u0439"),
        ("\u0643\u0650\u062a\u0627\u0628", "\u0643\u062a\u0627\u0628"),
    ],
)
def test_case_accents_endings_and_ornament_do_not_matter(query: str, text: str) -> None:
    assert _finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1070000", "1,070,000 crowns"),
        ("1,070,000", "1070000 crowns"),
        ("1.07", "grew by 1.07%."),
        ("2019", "in 2019, then"),
        ("07:40", "leaves at 07:40."),
        ("400", "(400)"),
    ],
)
def test_numbers_are_found_however_they_are_written(query: str, text: str) -> None:
    assert _finds(query, text)


def test_a_decimal_is_not_found_by_its_parts() -> None:
    assert words("1.07") == ["1.07"]
    assert not _finds("107", "grew by 1.07 percent")


def test_a_chinese_word_of_two_characters_is_found_inside_a_run() -> None:
    assert _finds("杭州", "阿里巴巴集团总部在杭州市")
    assert _finds("总部在哪里", "阿里巴巴集团总部在杭州市")
    assert not _finds("北京", "阿里巴巴集团总部在杭州市")


def test_chinese_and_latin_in_one_run_are_told_apart() -> None:
    assert words("成立于1999年Alibaba") == ["成立", "立于", "1999", "年", "alibaba"]


def test_a_korean_word_is_found_with_another_particle() -> None:
    assert _finds("서울에는", "수도는 서울이다")
    assert not _finds("부산", "수도는 서울이다")


def test_japanese_marks_are_letters() -> None:
    assert _finds("パン屋", "この町のパン屋です")
    assert not _finds("バン", "この町のパン屋です")


MIXED = [
    "The oldest house of the town stands at the harbour.",
    "Die ältesten Häuser der Stadt stehen am Hafen und sind aus Holz.",
    "Las casas más antiguas de la ciudad están en el puerto.",
    "杭州的老房子在港口",
]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("Wo steht das Haus?", 1),
        ("haus", 1),
        ("aelteste Haeuser", 1),
        ("¿Dónde está la casa antigua?", 2),
        ("puertos", 2),
        ("which houses stand?", 0),
        ("老房子", 3),
    ],
)
def test_each_passage_is_found_by_the_stems_of_its_own_language(query: str, place: int) -> None:
    assert _search(LexicalIndex.build(MIXED), query, 1)[0][0] == place


def test_function_words_of_the_language_asked_in_find_nothing() -> None:
    index = LexicalIndex.build(MIXED)

    assert _search(index, "Wo ist die, und was war der?", 10) == _search(index, "the of and", 10) == []
    assert index.knows("Wo ist die Stadt?") and index.knows("the house") and not index.knows("Wo ist der Bahnhof?")


def test_the_last_german_passage_takes_the_german_stems_with_it() -> None:
    mixed = LexicalIndex.build(MIXED)
    places = [0, 2, 3]
    left = LexicalIndex.build([MIXED[i] for i in places], None, mixed, places)

    assert _search(left, "Wo steht das Haus?", 10) == _search(
        LexicalIndex.build([MIXED[i] for i in places]), "Wo steht das Haus?", 10
    )


def test_small_words_are_left_out() -> None:
    assert words("It is the ferry of a town") == words("ferry town")
    assert words("") == words("the of") == []


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_the_words_of_any_text_are_not_empty_and_the_same_in_lower_case(text: str) -> None:
    assert all(words(text))
    assert words(text) == words(text.casefold())
