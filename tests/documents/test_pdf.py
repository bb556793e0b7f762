"""Where the text of a PDF stands on its pages, and how they look: a box fits the ink of its line, and no other's."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops

from rag import Box, CorpusError, Rag
from rag.documents.pdf import line_boxes, page_picture, read_pdf
from rag.documents.types import Limits
from tests.conftest import ROOT, MakeRag
from tests.documents.test_readers import make_pdf

FINANCIAL = ROOT.parent / "shared" / "eval" / "financebench" / "pdfs"
LINES = ["The harbour has 14 berths.", "Ferries leave at 07:40.", "The museum shows 212 clocks."]
SHAPES = {
    "plain": "/MediaBox [0 0 612 792]",
    "turned right": "/MediaBox [0 0 612 792] /Rotate 90",
    "upside down": "/MediaBox [0 0 612 792] /Rotate 180",
    "turned left": "/MediaBox [0 0 612 792] /Rotate 270",
    "cut": "/MediaBox [0 0 612 792] /CropBox [50 500 420 770]",
    "cut and turned": "/MediaBox [0 0 612 792] /CropBox [50 500 420 770] /Rotate 90",
    "moved": "/MediaBox [-100 300 500 900]",
    "wide": "/MediaBox [0 600 3000 800]",
    "narrow": "/MediaBox [60 -9000 260 792]",
    "in other units": "/MediaBox [0 0 612 792] /UserUnit 2",
}


def text_of(data: bytes, page: int = 1) -> str:
    return read_pdf(data, Limits()).pages[page - 1]


def boxes_at(data: bytes, page: int, start: int, end: int) -> list[Box]:
    found = line_boxes(data, page, text_of(data, page), start, end)
    assert found is not None
    return found


def span_of(data: bytes, words: str, page: int = 1) -> tuple[int, int]:
    start = text_of(data, page).index(words)
    return start, start + len(words)


def boxes_of(data: bytes, words: str, page: int = 1) -> list[Box]:
    return boxes_at(data, page, *span_of(data, words, page))


def ink(data: bytes, hidden: Sequence[Box] = (), width: int = 1200) -> tuple[float, ...]:
    """The smallest box around all that is drawn, but what lies in the hidden boxes; in shares of the page."""
    picture = Image.open(BytesIO(page_picture(data, 1, width))).convert("L")
    wide, high = picture.size
    for box in hidden:
        corners = box.left * wide - 1, box.top * high - 1, box.right * wide + 1, box.bottom * high + 1
        picture.paste(255, tuple(map(round, corners)))
    found = ImageChops.invert(picture).point(lambda value: value > 60 and 255).getbbox()
    assert found
    return found[0] / wide, found[1] / high, found[2] / wide, found[3] / high


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_each_lines_box_is_where_its_ink_is(shape: str) -> None:
    data = make_pdf("\n".join(LINES), shape=shape)
    boxes = [box for line in LINES for box in boxes_of(data, line)]
    width, height = Image.open(BytesIO(page_picture(data, 1, 1200))).size

    assert len(boxes) == 3 and set(boxes) == set(boxes_at(data, 1, 0, 10_000))
    for box in boxes:
        around = ink(data, [one for one in boxes if one != box])
        for found, told, size in zip(
            around, (box.left, box.top, box.right, box.bottom), (width, height) * 2, strict=True
        ):
            assert abs(found - told) * size <= 2.5  # pixels


def test_a_part_of_a_line_has_a_box_of_its_own() -> None:
    data = make_pdf("\n".join(LINES))
    whole, (part,) = boxes_of(data, LINES[0])[0], boxes_of(data, "14 berths")

    assert whole.left < part.left < part.right < whole.right
    assert part.right - part.left == pytest.approx(0.35 * (whole.right - whole.left), rel=0.1)


def test_a_line_of_several_pieces_is_one_box() -> None:
    data = make_pdf("The harbour) Tj 200 0 Td (has 14 berths) Tj -200 0 Td (").replace(b"Td () Tj", b"Td ( ) Tj")

    assert len(boxes_of(data, "harbour has 14")) == 1


def test_a_word_that_is_broken_at_a_lines_end_has_a_box_on_both() -> None:
    data = make_pdf("The harbour has four-\nteen berths.")
    first, second = boxes_of(data, "fourteen")

    assert first.bottom < second.top and second.left < first.left


def test_letters_that_count_twice_in_the_file_shift_no_box() -> None:
    meaning = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def 1 begincodespacerange "
        "<00> <FF> endcodespacerange 1 beginbfchar <41> <D83DDE00> endbfchar endcmap end end"
    )
    plain, data = make_pdf("AAAA berths here"), make_pdf("AAAA berths here", meaning=meaning)

    assert "\U0001f600" * 4 in text_of(data)
    assert boxes_of(data, "berths") == boxes_of(plain, "berths")


def test_what_lies_outside_the_visible_part_has_no_box() -> None:
    data = make_pdf("\n".join(LINES), shape="/MediaBox [0 0 612 792] /CropBox [50 715 420 770]")

    assert len(boxes_of(data, LINES[0])) == 1 and boxes_of(data, LINES[2]) == []


@pytest.mark.parametrize("width", [1, 7, 333, 900, 2000])
def test_a_picture_is_as_wide_as_it_was_wished(width: int) -> None:
    picture = Image.open(BytesIO(page_picture(make_pdf(*LINES), 2, width)))

    assert (picture.format, picture.width) == ("PNG", width)


def test_a_picture_of_a_long_page_stays_small() -> None:
    picture = Image.open(BytesIO(page_picture(make_pdf("x", shape="/MediaBox [0 0 10 14000]"), 1, 900)))

    assert picture.height == 4000 and picture.width < 10


# --- Of the documents in the index --------------------------------------------------------------------------------


@pytest.fixture
def town(make_rag: MakeRag, corpus: Path) -> Rag:
    pages = "\n".join(LINES), "", "The bakery sells\x07400 loaves a day."
    (corpus / "town.pdf").write_bytes(make_pdf(*pages))
    return make_rag(auto_ingest=False)


def test_boxes_are_on_the_pages_that_hold_the_span(town: Rag) -> None:
    town.ingest()
    text = town.document_text("town.pdf")
    start, end = text.index("Ferries"), text.index("400") + 3

    assert [box.page for box in town.boxes("town.pdf", start, end)] == [1, 1, 3]
    assert {box.page for box in town.boxes("town.pdf", 0, len(text))} == {1, 3}
    assert town.boxes("town.pdf", text.index("\n\n"), text.index("\n\n") + 1) == []


def test_an_answers_quote_is_where_its_words_are(town: Rag) -> None:
    town.ingest()
    cited = town.ask("When do ferries leave?", sources=["town.pdf"]).citations[0]
    (box,) = town.boxes(cited.source, cited.start, cited.end)
    data = (town.settings.corpus_dir / "town.pdf").read_bytes()

    assert cited.quote == LINES[1] and [box] == boxes_of(data, LINES[1])
    assert town.picture("town.pdf", box.page) == page_picture(data, 1, 900)


def test_what_is_asked_for_must_be_there(town: Rag) -> None:
    town.ingest()
    last = len(town.document_text("town.pdf"))
    for start, end in ((-1, 5), (5, 5), (9, 5), (0, last + 1)):
        with pytest.raises(ValueError, match="characters"):
            town.boxes("town.pdf", start, end)
    for page, width in ((0, 900), (4, 900), (1, 0), (1, 2001)):
        with pytest.raises(ValueError, match="pages 1 to 3"):
            town.picture("town.pdf", page, width)
    for wrong in (lambda: town.boxes("harbour.md", 0, 5), lambda: town.picture("harbour.md", 1)):
        with pytest.raises(ValueError, match="PDF"):
            wrong()
    with pytest.raises(CorpusError, match="rag list"):
        town.picture("../town.pdf", 1)


@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
def test_a_file_that_is_not_the_indexed_one_is_not_shown(town: Rag, gone: bool) -> None:
    town.ingest()
    file = town.settings.corpus_dir / "town.pdf"
    file.unlink() if gone else file.write_bytes(make_pdf("Something else."))

    for call in (lambda: town.boxes("town.pdf", 0, 5), lambda: town.picture("town.pdf", 1)):
        with pytest.raises(CorpusError, match=r"town\.pdf is no longer .*rag ingest"):
            call()


def test_a_text_that_another_version_took_out_has_no_boxes(town: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    town.ingest()
    monkeypatch.setattr("rag.documents.pdf._CONTROL", re.compile("berths"))

    with pytest.raises(CorpusError, match="rebuild"):
        town.boxes("town.pdf", 0, 5)


@pytest.mark.skipif(not FINANCIAL.is_dir(), reason="shared/ is not beside the project")
@pytest.mark.parametrize("name", ["AMAZON_2019_10K.pdf", "PEPSICO_2023Q1_EARNINGS.pdf", "3M_2018_10K.pdf"])
def test_in_real_reports_the_text_in_the_boxes_is_the_spans(name: str) -> None:
    """Nearly always exactly; where lines are set so tight that they touch, some of a neighbour's is there too."""
    data, draw, exact = (FINANCIAL / name).read_bytes(), random.Random(7), 0
    pages = read_pdf(data, Limits()).pages
    with pypdfium2.PdfDocument(data) as pdf:
        for number in draw.sample(range(len(pdf)), 12):
            page = pdf[number]
            text = pages[number]
            words = [found.start() for found in re.finditer(r"\b\w", text)][:-30]
            for start in draw.sample(words, min(5, len(words))):
                span = text[start : start + 120].rpartition(" ")[0]
                boxes = line_boxes(data, number + 1, text, start, start + len(span))
                assert boxes
                within = _bare("".join(_text_in(page, box) for box in boxes))
                assert _is_in(_bare(span), within)
                exact += within == _bare(span)
            page.close()
    assert exact >= 50 if name != "PEPSICO_2023Q1_EARNINGS.pdf" else exact >= 40


def _text_in(page: pypdfium2.PdfPage, box: Box) -> str:
    left, bottom, right, top = page.get_bbox()
    wide, high, edge = right - left, top - bottom, 0.02
    across = left + box.left * wide + edge, left + box.right * wide - edge
    down = top - box.top * high - edge, top - box.bottom * high + edge
    return page.get_textpage().get_text_bounded(across[0], down[1], across[1], down[0])


def _bare(text: str) -> str:
    return re.sub(r"[\s\x02\ufffe|-]", "", text)


def _is_in(some: str, all_of_it: str) -> bool:
    rest = iter(all_of_it)
    return all(character in rest for character in some)


# --- Scans --------------------------------------------------------------------------------------------------------


def scan(*pages: str) -> bytes:
    """A PDF whose pages are pictures of these texts; with "", of a page that has its text."""
    pictures = [Image.open(BytesIO(page_picture(make_pdf(text), 1, 1200))).convert("RGB") for text in pages]
    pictures[0].save(out := BytesIO(), "PDF", save_all=True, append_images=pictures[1:], resolution=140)
    return out.getvalue()


def mixed() -> bytes:
    with (
        pypdfium2.PdfDocument(make_pdf("Ferries leave at 07:40.")) as pdf,
        pypdfium2.PdfDocument(scan(*LINES[:1])) as two,
    ):
        pdf.import_pages(two)
        pdf.new_page(612, 792)  # blank: no scan
        pdf.save(out := BytesIO())
    return out.getvalue()


def test_a_page_without_a_text_layer_is_told_of_and_a_blank_one_is_not(town: Rag, corpus: Path) -> None:
    (corpus / "mixed.pdf").write_bytes(mixed())
    (corpus / "scan.pdf").write_bytes(scan(*LINES))
    report = town.ingest()

    assert dict(report.notes)["mixed.pdf"].startswith("no text layer, maybe scanned: page 2;")
    assert "no text layer" in dict(report.failed)["scan.pdf"] and "RAG_OCR" in dict(report.failed)["scan.pdf"]


def test_tesseract_reads_scans_where_it_is_asked_to(make_rag: MakeRag, corpus: Path) -> None:
    (corpus / "mixed.pdf").write_bytes(mixed())
    (corpus / "scan.pdf").write_bytes(scan(*LINES))
    rag = make_rag(ocr="eng")
    report = rag.ingest()

    assert report.failed == () and "Tesseract" in dict(report.notes)["mixed.pdf"]
    cited = rag.ask("How many clocks does the museum show?", sources=["scan.pdf"]).citations[0]
    assert (cited.quote, cited.page) == (LINES[2], 3)
    assert rag.boxes("scan.pdf", cited.start, cited.end) == []


def test_a_language_that_tesseract_lacks_is_named(make_rag: MakeRag, corpus: Path) -> None:
    (corpus / "scan.pdf").write_bytes(scan(*LINES))

    assert "RAG_OCR" in dict(make_rag(ocr="xxx").ingest().failed)["scan.pdf"]


def test_without_tesseract_the_reason_says_what_to_install(
    make_rag: MakeRag, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "scan.pdf").write_bytes(scan(*LINES))
    monkeypatch.setenv("PATH", "")

    assert "apt install tesseract-ocr" in dict(make_rag(ocr="eng").ingest().failed)["scan.pdf"]
