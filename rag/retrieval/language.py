"""Which language a text is in, and the stems of its words. Knows function words and Snowball's rules; no index."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

import Stemmer

ENGLISH = "english"
# The words that hold a language together, without accents: they tell it apart and, being everywhere, tell nothing
# else. Where two languages have as many, the first one is meant.
_FUNCTION_WORDS = {
    ENGLISH: "a about am an and any are as at be been being but by can could did do does doing for from had has have"
    " having he her hers him his how i if in into is it its itself just many me much my no nor not of off on or our"
    " ours out own shall she should so some such than that the their theirs them then there these they this those"
    " through to too us very was we were what when where which while who whom whose why will with would you your yours",
    "spanish": "el la los las lo un una unos unas de del a al y e o u que en por para con sin sobre entre se su sus es"
    " son era fue fueron ser ha han habia como mas pero no ni cuando donde cual cuales quien quienes cuanto cuantos"
    " cuanta cuantas este esta estos estas le les",
    "french": "le la les l un une des du de d et a au aux en est sont ete etait que qu qui ne pas ce cet cette ces se"
    " s sa son ses il elle ils elles on dans par pour sur avec plus ou mais comme leur leurs ont avait fut c n j quel"
    " quelle quels quelles quand comment pourquoi combien quoi",
    "german": "der die das den dem des ein eine einen einem einer eines und oder aber ist sind war waren wird werden"
    " wurde wurden hat haben hatte in im an am auf aus bei mit nach von vom zu zum zur fur um uber durch als wie auch"
    " nicht sich es er sie ihr ihre sein seine dass so noch nur was wer wen wem wo wann warum welche welcher welches"
    " welchen welchem wieviel viele",
    "italian": "il lo la i gli le l un uno una di a da in con su per tra fra del della dei delle dello degli dell al"
    " alla ai alle dal dalla dall nel nella nell sul sulla sull e ed o che non si e sono era ha hanno come piu ma"
    " anche suo sua chi cosa quale quali quando dove perche quanti quante quanto c d",
    "portuguese": "o a os as um uma de do da dos das e em no na nos nas ao aos por pelo pela para com que nao se foi"
    " sao era como mais mas ou sua seu seus suas entre ser quem qual quais quando onde quanto quantos quantas porque",
    "dutch": "de het een en van in op te dat die is was met voor niet aan zijn er om ook als door bij naar uit over"
    " dan maar werd wordt worden heeft hebben had deze dit wie wat waar wanneer waarom hoe welke welk hoeveel",
    "swedish": "och att det den de i en ett ar av for pa med som inte till fran var han hon vi har om men eller kan"
    " sig sin efter vid blev vad vem vilka nar varfor hur vilken vilket manga",
    "danish": "af at de den der det du en er et for fra har han hun ikke i jeg kan med men og om pa sig sin som til"
    " var ved vi efter blev eller hvad hvem hvor hvornar hvorfor hvilken hvilket hvilke",
    "norwegian": "av at de den det du en er et for fra har han hun ikke i jeg kan med men og om pa seg sin som til var"
    " ved vi etter ble eller hva hvem hvor nar hvorfor hvilken hvilket hvilke",
    "polish": "i w we z ze na do nie sie jest to o od po za przez dla oraz ale jak jako ktory ktora ktore byl byla"
    " bylo sa jego jej ich czy kto co kiedy gdzie dlaczego ile jaki jaka jakie",
    "czech": "a i v ve na se je si s z ze do k ke o po pro za od u by byl byla bylo byli jsou jako ale nebo ktery"
    " ktera ktere jeho jejich pri kdo co kdy kde jak proc kolik jaky jaka jake to ten ta",
    "turkish": "ve bir bu da de ile icin olarak olan daha gibi kadar ne mi ki en o ise ya sonra kim hangi nerede zaman"
    " nasil neden kac oldu",
    "hungarian": "a az es egy hogy nem is volt van vagy de meg mint csak ez azt mar altal el ki mi hol mikor miert"
    " hogyan melyik milyen mennyi hany",
    "romanian": "si de la in a al ale cu pe din nu este sunt era un o unei care ca mai sau dar fost prin pentru lui ce"
    " cine cand unde cum cati cate cat au sa se",
    "finnish": "ja on oli ei se han ne etta joka jotka mutta tai kuin myos ovat olivat sen hanen niiden jos kun niin"
    " vain mika mita kuka milloin missa miksi miten kuinka monta mitka ole tama",
    "catalan": "el la els les un una de del dels al als i o que en amb per es seva seu son va ha han com mes pero no"
    " aquest aquesta qui quin quina quins quines quan on quants quantes perque ser era l d s",
    "indonesian": "yang dan di dari untuk dengan pada ini itu adalah dalam tidak ke oleh sebagai akan telah juga atau"
    " apa siapa kapan mana mengapa bagaimana berapa",
}
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_SPEAKERS: dict[str, list[str]] = {}
for _language, _words in _WORDS.items():
    for _word in _words:
        _SPEAKERS.setdefault(_word, []).append(_language)
_BY_BLOCK = {7: "greek", 8: "russian", 10: "armenian", 12: "arabic"}  # of 128 characters, by its number in Unicode
_ACCENTS = re.compile("(?<=[a-z\u0370-\u03ff])[\u0300-\u036f]+")
_LETTERS = str.maketrans({"\u0142": "l", "\xf8": "o", "\u0111": "d", "\u0131": "i", "\xe6": "ae", "\u0153": "oe"})
_MIN_SHARE = 0.1  # of the distinct words; of running text in its language they are a fifth and more


def language_of(forms: Collection[str], among: Collection[str] = _WORDS) -> str:
    """The language with most function words among some words; English, too, where they are not a tenth of the words."""
    distinct = set(forms)
    spoken = Counter(language for form in distinct for language in _SPEAKERS.get(bare(form), ()))
    best = max((language for language in _WORDS if language in among), key=lambda language: spoken[language])
    return best if spoken[best] >= _MIN_SHARE * len(distinct) else ENGLISH


def stems(forms: Sequence[str], language: str = ENGLISH) -> list[str]:
    """The stem of each word, without accents; "" for a function word."""
    idle = _WORDS[language]
    folded = [bare(form) for form in forms]
    told = ["" if word in idle else word for word in folded]
    if language == ENGLISH:
        found: list[str] = Stemmer.Stemmer(language).stemWords(told)  # not thread-safe, and cheap to make
        return found
    accented = [form if word else "" for form, word in zip(forms, told, strict=True)]
    return [bare(stem) for stem in Stemmer.Stemmer(language).stemWords(accented)]


def bare(word: str) -> str:
    """A word without its accents; one in Greek, Cyrillic, Arabic or Armenian letters without its ending too."""
    if word.isascii() or word[0] > "\u1fff":  # beyond are no letters with accents: pairs of Chinese, mostly
        return word
    stemmer = _BY_BLOCK.get(ord(word[0]) >> 7)
    stem = Stemmer.Stemmer(stemmer).stemWord(word) if stemmer else word.translate(_LETTERS)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", stem)))
