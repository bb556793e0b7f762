"""Languages told apart by their function words, and the stems that each has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieval.language import bare, language_of, stems

SENTENCES = {
    "english": "The harbour has berths for the ferries that leave in the morning.",
    "german": "Der Hafen hat Liegeplätze für die Fähren, die am Morgen auslaufen.",
    "french": "Le port a des places pour les bateaux qui partent dans la matinée.",
    "spanish": "El puerto tiene sitio para los barcos que salen por la mañana.",
    "italian": "Il porto ha posti per i traghetti che partono nella mattina.",
    "portuguese": "O porto tem lugares para os barcos que saem pela manhã.",
    "dutch": "De haven heeft plaatsen voor de boten die in de ochtend vertrekken.",
    "swedish": "Hamnen har platser för färjor som går på morgonen, och en för fiskare.",
    "danish": "Havnen har pladser til de færger, som sejler om morgenen, og en af dem er ny.",
    "norwegian": "Havnen har plasser til ferger som går om morgenen, og en av dem er ny.",
    "polish": "Port ma miejsca dla promów, które odpływają rano, i jest to jego zaleta.",
    "czech": "Přístav má místa pro trajekty, které odplouvají ráno, ale je jich málo a jsou drahé.",
    "turkish": "Liman sabah kalkan feribotlar için bir yer ve bu yer çok büyük.",
    "hungarian": "A kikötő a kompok helye, és ez az a hely, ahol nem kell várni.",
    "romanian": "Portul are locuri pentru feriboturi care pleacă dimineața și nu este mare.",
    "finnish": "Satama on lauttojen paikka, ja se on suuri, mutta ei kuin kaupunki.",
    "catalan": "El port té llocs per als vaixells que surten amb la llum del matí.",
    "indonesian": "Pelabuhan ini adalah tempat untuk kapal yang berangkat pada pagi hari.",
}


@pytest.mark.parametrize(("language", "sentence"), SENTENCES.items())
def test_a_sentence_tells_its_language(language: str, sentence: str) -> None:
    assert language_of(sentence.lower().replace(",", "").rstrip(".").split()) == language


@pytest.mark.parametrize(
    "text", ["", "1,070,000 370", "berths ferries harbour", "杭州 州市", "quark xianyu dingtalk tongyi"]
)
def test_what_tells_no_language_is_taken_for_english(text: str) -> None:
    assert language_of(text.split()) == "english"


def test_foreign_names_do_not_make_a_text_foreign() -> None:
    text = "the treaty of the pyrenees was signed by don luis de haro on an island in the river while la reina waited"

    assert language_of(text.split()) == "english"


def test_only_languages_that_come_into_question_are_told() -> None:
    assert language_of(["wer", "ist", "der", "kapitan"], ["english", "spanish"]) == "english"


@pytest.mark.parametrize(
    ("language", "alike"),
    [
        ("english", "berth berths"),
        ("german", "häuser hauses haeuser haus"),
        ("german", "straße strasse"),
        ("spanish", "perdió perder perdieron"),
        ("french", "créée créer crée"),
        ("portuguese", "educação educações"),
        ("czech", "město města městě"),
        ("russian", "новый новая нового"),
        ("greek", "ελλάδα ελλαδα"),
        ("turkish", "kitaplar kitap"),
    ],
)
def test_the_forms_of_a_word_have_one_stem(language: str, alike: str) -> None:
    forms = [form.casefold() for form in alike.split()]
    english = {"russian", "greek"}  # known by their letters, whatever the text is in

    assert len(set(stems(forms, "english" if language in english else language))) == 1


def test_letters_lose_their_accents_and_what_stands_for_two_becomes_two() -> None:
    assert [bare(word) for word in ("brûlé", "łódź", "køge", "cœur", "ağrı", "パン", "й")] == [
        *("brule", "lodz", "koge", "coeur", "agri", "パン", "й"),
    ]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(min_size=1)), st.sampled_from(sorted(SENTENCES)))
def test_each_word_of_any_text_has_its_stem_in_every_language(forms: list[str], language: str) -> None:
    assert len(stems(forms, language)) == len(forms)
    assert language_of(forms) == language_of(list(reversed(forms)))
