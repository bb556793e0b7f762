"""A folder of real documents of nine formats: what stands in each is found, said and cited where it stands.

The facts lie where readers go wrong: in a table, a footnote, the second column, a list, a slide's notes, a sheet's row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rag import Answer, IngestReport, Rag, Settings
from tests.documents.samples import SOFFICE, write_samples
from tests.surfaces.page_fixtures import chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not SOFFICE, reason="LibreOffice is not installed"),
]


class Fact(NamedTuple):
    """A question, words that its answer must have, and where they stand."""

    source: str
    question: str
    words: str  # in the answer, and in one quote of the source
    section: str = ""  # in the citation's, which has the headings above it
    page: int | None = None  # of a PDF, or the slide of a deck
    line: str = ""  # of a table's row or a list's item: what else it holds; the quote is this one line


FACTS = (
    Fact("minutes.txt", "Which firm will repair the Otter Lane footbridge?", "Hallam & Sons"),
    Fact("minutes.txt", "Why was a lamp for the bus shelter refused?", "the supply cable would cost more"),
    Fact("house-rules.txt", "Wann darf man die Waschküche benutzen?", "werktags von 8 bis 20 Uhr"),
    Fact("walk.txt", "How much longer does it take to go round by the weir?", "ninety\nminutes"),
    Fact("walk.txt", "How many walkers can sleep in the bothy?", "sleeps eight"),
    Fact("warehouse.txt", "冷库的温度应保持在多少度？", "零下18摄氏度"),
    Fact("pipefit.md", "How often does Pipefit try before it gives a table up?", "7", "Options", line="--retries"),
    Fact("pipefit.md", "What does exit status 9 of Pipefit mean?", "newer schema", "Exit status"),
    Fact("onboarding.md", "Who hands out the badges at Tallow & Reed?", "Imogen Castellane", "Day one"),
    Fact("onboarding.md", "Who helps with pay slips?", "Yusuf Demir", "Who helps with what"),
    Fact("bylaws.md", "What is the quorum of the sailing club?", "17 members"),
    Fact("tunnel.html", "How much has the Elver tunnel cost so far?", "412 million crowns", "Cheaper than feared"),
    Fact("tunnel.html", "How much does the boring machine Agathe weigh?", "1,150 tonnes"),
    Fact("tunnel.html", "Who tests the signals of the tunnel?", "Vandersteen", "What comes next"),
    Fact("retry-policies.html", "What is the default of retry.jitter?", "15 percent", "the server", line="chance"),
    Fact("retry-policies.html", "How long is a dead letter kept?", "21 days", "Settings of the server"),
    Fact("mycologues.htm", "Qui guide la sortie à l'étang de Brognard ?", "Odile Jacquemin", line="10 juillet"),
    Fact("mycologues.htm", "Combien coûte l'adhésion au club ?", "120 francs"),
    Fact("tender.html", "How many seats must the bus from Fennick to Stow have?", "38", "Lots", line="Lot: B"),
    Fact("tender.html", "Who answers questions about the school bus tender?", "Clemency Rook", "Questions"),
    Fact(
        "annual-report.pdf", "How many passengers were carried in the year?", "2.37 million", "Letter from the chair", 2
    ),
    Fact("annual-report.pdf", "When was the Deneb built?", "2017", "The fleet", 3, line="Deneb"),
    Fact("annual-report.pdf", "How much carbon dioxide does the Electra save?", "9,400 tonnes", "Fuel", 3),
    Fact("annual-report.pdf", "Until when is methanol hedged?", "March 2025", "Risks", 5, line="sixty percent"),
    Fact("annual-report.pdf", "Who is the external auditor of the ferries?", "Castlemaine Hope", "Risks", 5),
    Fact("lichens.pdf", "How many gravestones were surveyed for lichens?", "1,904", "", 1),
    Fact("lichens.pdf", "How was sandstone distinguished from limestone?", "hydrochloric acid", "2 Methods", 1),
    Fact("lichens.pdf", "Who settled the disagreements between the observers?", "Hanne Brekke", "", 1),
    Fact("lichens.pdf", "Which communities did agricultural surroundings favour?", "nitrogen-loving", "3 Results", 2),
    Fact("lichens.pdf", "By how many years did inland churchyards lag?", "nineteen years", "4 Discussion", 2),
    Fact("lichens.pdf", "For when is the next survey of the churchyards planned?", "2041", "5 Conclusion", 2),
    Fact("water.pdf", "石桥村什么时候恢复供水？", "8月8日16点", "停水安排", 1, line="石桥村"),
    Fact("water.pdf", "居民生活用水的价格是多少？", "2.95元", "收费调整", 2),
    Fact("lease.pdf", "What is the rent in the second year?", "£5,820", "2 Rent", 1, line="Second year"),
    Fact("lease.pdf", "Which animal may the tenant keep?", "one cat", "3 Animals", 2),
    Fact("lease.pdf", "Who has the chimney of the tea room swept?", "The landlord lets the chimney", "4 Repairs", 3),
    Fact("contract.docx", "How much notice is needed to end the cleaning agreement?", "ten weeks", "3.1 Notice"),
    Fact("contract.docx", "What is the monthly fee for the cold store?", "€620", "2 Fees", line="Cold store"),
    Fact("contract.docx", "When does the contractor clean the windows?", "in March and in September", "1 Services"),
    Fact("school.docx", "How many pupils does the school Castle Hill have?", "187", "Pupils", line="Castle Hill"),
    Fact("school.docx", "Why was a meeting of the school board held by telephone?", "because of the snow"),
    Fact("school.docx", "Which families pay half for a school meal?", "four or more children"),
    Fact("school.docx", "Where was asbestos found?", "cellar of Saint Brannock", "Buildings"),
    Fact("handbook.docx", "入职满一年的员工有多少天年假？", "12天年假", "年假"),
    Fact("handbook.docx", "交通补贴是多少？", "每月380元", "补贴标准", line="刷卡"),
    Fact("kickoff.pptx", "What do we do if the permit is not here by 28 June?", "rent the hall in Debica", "Risks", 4),
    Fact("kickoff.pptx", "What is the budget for racking?", "€1.9 million", "Budget by trade", 3, line="Racking"),
    Fact("kickoff.pptx", "How long do trucks wait?", "70 minutes", "Why we move", 2),
    Fact("sales.pptx", "How many lamps were sold in Tromsø?", "7315", "Lamps sold by region", 2, line="Tromsø"),
    Fact("sales.pptx", "Why was there a dip in Tromsø?", "strike at the ferry terminal", "Lamps sold by region", 2),
    Fact("sales.pptx", "Where will a shop be opened in October?", "Narvik", "", 3),
    Fact("training.pptx", "Which extinguisher is for oil?", "Foam", "Kinds of extinguisher", 3, line="Oil"),
    Fact("training.pptx", "Who is the fire warden of the first floor?", "Dimitri Sokolov", "Wardens", 4),
    Fact("training.pptx", "Who was forgotten in meeting room 6?", "two visitors", "If there is a fire", 2),
    Fact("staff.xlsx", "What is the post of P00217?", "welder", "Staff", line="P00217"),
    Fact("staff.xlsx", "Who is the site manager in Hull?", "Amos Tindall", "Contacts", line="0148"),
    Fact("prices.xlsx", "What is the price of linseed oil paint?", "19.95", line="T-310"),
    Fact("prices.xlsx", "From which amount is the delivery of timber free?", "£400"),
    Fact("budget.xlsx", "What growth did the income from members have?", "7.5%", "Income", line="Members"),
    Fact("budget.xlsx", "When is the income from the bar due?", "2024-05-28", "Income", line="Bar"),
    Fact("budget.xlsx", "Who approved the pitch drainage?", "Lorna Keogh", "Costs", line="13980"),
    Fact("budget.xlsx", "How much of the total costs was spent?", "21905", "Costs", line="21150"),
    Fact("stations.csv", "How many platforms does Elverton Parkway have?", "4", line="12,930"),
    Fact("suppliers.csv", "Welches Zahlungsziel hat Kärntner Glas?", "45 Tage", line="Villach"),
    Fact("shops.csv", "春熙路店的店长是谁？", "罗晓燕", line="成都"),
    Fact("readings.csv", "What is the remark on the meter M-0044?", "reported to the landlord", line="2928"),
    Fact("inspections.csv", "What was the result for lift L-317?", "closed, cable worn", line="Bettina Krog"),
    Fact("recipes.epub", "How long does the nettle soup simmer?", "eighteen minutes", "Soups > Nettle soup"),
    Fact("recipes.epub", "How long does the barley dough rest?", "35 minutes", "Barley flatbread", line="210 g"),
    Fact("recipes.epub", "Which cider is the best for the eel broth?", "village of Mauleon"),
    Fact("lighthouse.epub", "Who was the keeper of the lighthouse?", "Ansgar Tveit", "The lighthouse"),
    Fact("lighthouse.epub", "Where did Signe find the letter?", "behind the third pane", "The letter"),
    Fact("birds.epub", "How many eggs does the stilt sandpiper lay?", "four eggs"),
    Fact("birds.epub", "What colour are the legs of the glaucous gull?", "pink legs", "Gulls"),
)
TITLES = {
    "minutes.txt": "Wendlebury Parish Council: minutes of the meeting of 14 March 2023",
    "pipefit.md": "Pipefit",
    "tunnel.html": "Tunnel under the Elver broken through a month early",
    "mycologues.htm": "Club des mycologues de Besançon",
    "tender.html": "Public tender: school buses of Fennick county",
    "annual-report.pdf": "Annual report 2023",
    "water.pdf": "停水通知",
    "lease.pdf": "Lease of business premises",
    "contract.docx": "Cleaning services agreement",
    "handbook.docx": "员工手册",
    "kickoff.pptx": "New warehouse in Tarnow",
    "recipes.epub": "The hedgerow kitchen",
    "lighthouse.epub": "The keeper's goat",
    "birds.epub": "Waders",
}
NO_CONTENT = {
    "tunnel.html": "cookies|Accept all|Skip to content|Subscribe|Home|dataLayer|font-family|Advertisement|Share on|"
    "Bus fares|Most read|Newsletter|Sign up|All rights reserved|Imprint|Privacy",
    "retry-policies.html": "Installation|Search docs|API reference|¶|Previous|Built with Sphinx",
    "mycologues.htm": "Accueil|Livre d'or",
    "annual-report.pdf": r"Annual report and accounts 2023|^Meridian Ferries plc Annual|^\d$",
    "lichens.pdf": "Solheim and Dvorsky|Northern Journal|^\\d$|[\u00ad\u2010\ufffe]|[a-z]-$",
    "water.pdf": r"^\d$",
    "lease.pdf": r"Weaver Street 14 · lease|^Page",
    "contract.docx": r"strictly confidential|^Page",
    "recipes.epub": "Contents|xhtml",
    "lighthouse.epub": "xhtml",
}
LINES = {
    "tunnel.html": ("- Tracks are laid from September.", "- Trains run from December 2026."),
    "contract.docx": ("- Canteen: twice a day", "Area: Canteen | Size: 310 m² | Monthly fee: €1,475"),
    "tender.html": ("- Seat belts on every seat", "Lot: C | Route: Moor | Seats: 22"),
    "training.pptx": ("- Close doors", "Fire: Server room | Extinguisher: Carbon dioxide"),
    "budget.xlsx": ("Source: Bar | 2023: 18600 | 2024: 17484 | Growth: -6.0% | Due: 2024-05-28",),
    "stations.csv": ("station: Dunmere | opened: 1874 | platforms: 2 | passengers a day: 610 | step-free: no",),
    "prices.xlsx": ("Article: T-205 | Description: Spruce lath | Unit: m | Price: £0.85",),
    "annual-report.pdf": ("Altair | 2004 | 180 | 740", "The shortage of marine engineers"),
    "recipes.epub": ("- 2 potatoes, diced",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    with chromium() as browser:
        write_samples(folder, tmp_path_factory.mktemp("workshop"), browser)
    return folder


@pytest.fixture(scope="module")
def rag(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rag]:
    built = tmp_path_factory.mktemp("built")
    with Rag(Settings(corpus_dir=folder, index_dir=built / "index", data_dir=built / "data")) as rag:
        yield rag


@pytest.fixture(scope="module")
def report(rag: Rag) -> IngestReport:
    return rag.ingest()


def test_every_document_is_read_and_there_are_three_of_each_format(folder: Path, report: IngestReport) -> None:
    assert not report.failed
    assert set(report.added) == {path.name for path in folder.iterdir()}
    formats = [path.suffix.replace(".htm", ".html").replace("mll", "ml") for path in folder.iterdir()]
    for suffix in (".txt", ".md", ".html", ".pdf", ".docx", ".pptx", ".xlsx", ".csv", ".epub"):
        assert formats.count(suffix) >= 3, suffix


@pytest.mark.parametrize("fact", FACTS, ids=[f"{fact.source}: {fact.words}" for fact in FACTS])
def test_a_planted_fact_is_said_and_cited_where_it_stands(rag: Rag, report: IngestReport, fact: Fact) -> None:
    answer = rag.ask(fact.question)

    assert not answer.abstained, answer.reason
    assert _plain(fact.words) in _plain(answer.text)
    citation = _citation(answer, fact)
    assert rag.document_text(fact.source)[citation.start : citation.end] == citation.quote
    assert fact.section in citation.section
    assert citation.page == fact.page
    assert fact.line in citation.quote
    assert len(citation.quote) < 400 and citation.quote.count("\n") < (1 if fact.line else 4)


@pytest.mark.parametrize("source", TITLES)
def test_a_document_has_the_title_that_its_author_gave(rag: Rag, report: IngestReport, source: str) -> None:
    assert {one.source: one.title for one in rag.documents()}[source] == TITLES[source]


@pytest.mark.parametrize("source", NO_CONTENT)
def test_what_only_surrounds_a_document_is_no_part_of_it(rag: Rag, report: IngestReport, source: str) -> None:
    assert re.findall(NO_CONTENT[source], rag.document_text(source), re.MULTILINE) == []


@pytest.mark.parametrize("source", LINES)
def test_an_item_or_a_row_is_a_line_of_its_own(rag: Rag, report: IngestReport, source: str) -> None:
    lines = rag.document_text(source).splitlines()
    assert [line for line in LINES[source] if line not in lines] == []


def _plain(text: str) -> str:
    return " ".join(text.split())


def _citation(answer: Answer, fact: Fact):
    """The first citation whose quote holds the fact's words; it must be of the fact's document."""
    holding = [one for one in answer.citations if _plain(fact.words) in _plain(one.quote)]
    assert holding, [one.quote for one in answer.citations]
    assert holding[0].source == fact.source
    return holding[0]
