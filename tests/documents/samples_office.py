"""Sample documents of an office: contracts, decks and sheets, written by the libraries of their formats."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docx
import openpyxl
import xlsxwriter
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

Blocks = Sequence[str | list[str] | list[list[str]]]  # a heading ("# "), a paragraph, a page break, a list, a table

CONTRACT: Blocks = (
    "# Cleaning services agreement",
    "This agreement is made between Orpington Dairy Ltd (the client) and Sweepwell Partners (the contractor).",
    "## 1 Services",
    "The contractor cleans the offices and the canteen of the client in Mill Road.",
    [
        "Offices: every working day after 18:00",
        "Canteen: twice a day",
        "Windows: in March and in September, from outside with a lift",
    ],
    "## 2 Fees",
    "The fees below hold for one year. They are paid within 20 days of the invoice.",
    [
        ["Area", "Size", "Monthly fee"],
        ["Offices", "1,240 m²", "€3,180"],
        ["Canteen", "310 m²", "€1,475"],
        ["Cold store", "95 m²", "€620"],
    ],
    "## 3 Term",
    "The agreement begins on 1 May 2024 and runs for one year. It is renewed by itself for another year.",
    "### 3.1 Notice",
    "Either party may end it with ten weeks' notice in writing. An e-mail is not enough.",
    "## 4 Liability",
    "The contractor is insured for damage of up to €2 million a case. Lost keys are replaced by the contractor.",
)
HANDBOOK: Blocks = (
    "# 员工手册",
    "本手册适用于青竹科技有限公司的全体员工。",
    "## 工作时间",
    "公司实行弹性工作制，核心时间为上午十点至下午四点。加班须事先得到主管批准。",
    "## 年假",
    "入职满一年的员工每年享有12天年假。未休完的年假可以保留到次年三月底。",
    "## 补贴标准",
    [["项目", "金额", "发放方式"], ["午餐补贴", "每天25元", "随工资"], ["交通补贴", "每月380元", "刷卡"]],
    "## 离职",
    "员工离职须提前三十天书面通知公司，并归还电脑和门禁卡。",
)
KICKOFF = (
    (
        "New warehouse in Tarnow",
        ["Kick-off, 9 January 2024", "Project lead: Wanda Brzezicka"],
        "Welcome everybody and wait for the colleagues from Lublin.",
    ),
    (
        "Why we move",
        ["The old hall is full since October", "Trucks wait 70 minutes on average", "The lease ends in 2025"],
        "The landlord offered us 5 percent off, which the board refused.",
    ),
    ("Budget by trade", [["Trade", "Budget"], ["Steel", "€4.1 million"], ["Racking", "€1.9 million"]], ""),
    (
        "Risks",
        ["Permits may come late", "The supplier of the gates has a backlog"],
        "If the permit is not here by 28 June, we rent the hall in Debica.",
    ),
)
TRAINING = (
    ("Fire safety at work", ["Yearly training for all staff"], "Check the attendance list first."),
    (
        "If there is a fire",
        ["Warn others", "Close doors", "Take the stairs to the assembly point behind the bicycle shed"],
        "Last year two visitors were forgotten in meeting room 6.",
    ),
    ("Kinds of extinguisher", [["Fire", "Extinguisher"], ["Oil", "Foam"], ["Server room", "Carbon dioxide"]], ""),
    ("Wardens", ["Ground floor: Pauline Eckhart", "First floor: Dimitri Sokolov"], "Wardens wear orange caps."),
)
NAMES = "Abara Brandt Castell Dufresne Eklund Farrugia Grillo Hoang Ibsen Jansky Koskinen Lupu Moreau Nakata Oyelaran"
POSTS = "welder", "fitter", "planner", "buyer", "nurse", "driver", "analyst"


def write_all(folder: Path, unsaved: Path) -> None:
    """What the libraries write goes to `folder`; to `unsaved` goes what LibreOffice is yet to open and save again."""
    contract = document(CONTRACT, head="Orpington Dairy Ltd · strictly confidential")
    contract.core_properties.title = "Cleaning services agreement"
    contract.save(str(folder / "contract.docx"))
    document(HANDBOOK).save(str(folder / "handbook.docx"))
    deck(KICKOFF).save(str(folder / "kickoff.pptx"))
    _sales().save(str(folder / "sales.pptx"))
    deck(TRAINING).save(str(unsaved / "training.pptx"))
    _staff(folder / "staff.xlsx")
    _prices().save(folder / "prices.xlsx")
    _budget().save(unsaved / "budget.xlsx")


def document(blocks: Blocks, head: str = "") -> Any:
    """A Word document with a running head and page numbers."""
    made = docx.Document()
    for block in blocks:
        if block == "\f":
            made.add_page_break()
        elif isinstance(block, str):
            marks, _, words = block.rpartition("# ")
            made.add_heading(words, len(marks) + 1) if block.startswith("#") else made.add_paragraph(block)
        elif isinstance(block[0], str):
            for item in block:
                made.add_paragraph(str(item), style="List Bullet")
        else:
            table = made.add_table(0, len(block[0]), style="Table Grid")
            for row in block:
                for cell, words in zip(table.add_row().cells, row, strict=True):
                    cell.text = words
    if head:
        made.sections[0].header.paragraphs[0].text = head
        _number_pages(made.sections[0].footer.paragraphs[0])
    return made


def _number_pages(paragraph: Any) -> None:
    paragraph.add_run("Page ")
    for kind in ("begin", "", "end"):
        part = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            part.set(qn("w:fldCharType"), kind)
        else:
            part.text = "PAGE"
        paragraph.add_run()._r.append(part)


def deck(slides: Sequence[tuple[str, Sequence[Any], str]]) -> Any:
    """A deck: of each slide its title, its bullets or its table, and its notes."""
    made = Presentation()
    for title, body, notes in slides:
        is_table = not isinstance(body[0], str)
        slide = made.slides.add_slide(made.slide_layouts[5 if is_table else 1])
        slide.shapes.title.text = title
        if is_table:
            size = Inches(1), Inches(2), Inches(7), Inches(2)
            table = slide.shapes.add_table(len(body), len(body[0]), *size).table
            for y, row in enumerate(body):
                for x, words in enumerate(row):
                    table.cell(y, x).text = words
        else:
            slide.placeholders[1].text = "\n".join(body)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    return made


def _sales() -> Any:
    made = deck((("Sales review, spring 2024", ["Prepared for the board of Nordlys Lamps"], ""),))
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Lamps sold by region"
    data = CategoryChartData()
    data.categories = ["Bergen", "Tromsø", "Stavanger"]
    data.add_series("Lamps sold", (18240, 7315, 11960))
    area = Inches(1), Inches(2), Inches(6), Inches(4)
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *area, data)
    slide.notes_slide.notes_text_frame.text = "The dip in Tromsø came from the strike at the ferry terminal."
    last = made.slides.add_slide(made.slide_layouts[6])  # blank: a title that is only a text box, and a group
    last.shapes.add_textbox(Inches(1), Inches(0.5), Inches(6), Inches(1)).text_frame.text = "What we do next"
    group = last.shapes.add_group_shape()
    for height, words in enumerate(("Open a shop in Narvik in October", "Drop the model Aurora Mini")):
        group.shapes.add_textbox(Inches(1), Inches(2 + height), Inches(6), Inches(1)).text_frame.text = words
    return made


def _staff(path: Path) -> None:
    """300 rows with a filter, dates and numbers with formats, as a payroll program exports them."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Staff")
    day, bold = book.add_format({"num_format": "dd/mm/yyyy"}), book.add_format({"bold": True})
    heads = "Number", "Name", "Post", "Site", "Joined", "Hours a week"
    sheet.write_row(0, 0, heads, bold)
    surnames = NAMES.split()
    for row in range(1, 301):
        name = f"{surnames[row % 15]}, {'ABCDEFGHIJKLMNOPQRST'[row // 15 % 20]}."
        sheet.write_row(row, 0, (f"P{row:05}", name, POSTS[row % 7], ("Leeds", "Hull", "York")[row % 3]))
        sheet.write_datetime(row, 4, datetime.datetime(2001, 1, 15) + datetime.timedelta(days=29 * row), day)
        sheet.write_number(row, 5, 20 + row % 21)
    sheet.autofilter(0, 0, 300, len(heads) - 1)
    sheet.freeze_panes(1, 0)
    notes = book.add_worksheet("Contacts")
    notes.write_row(0, 0, ("Site", "Site manager", "Telephone"), bold)
    notes.write_row(1, 0, ("Leeds", "Greta Vandenberg", "0113 555 2210"))
    notes.write_row(2, 0, ("Hull", "Amos Tindall", "0148 555 9740"))
    book.close()


def _prices() -> Any:
    """A title over the table, an empty row, merged group lines, and prices that are numbers with a format."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices 2024"
    sheet["A1"] = "Price list of Hollins Timber, valid from 1 February 2024"
    sheet.merge_cells("A1:D1")
    sheet.append([])
    sheet.append(["Article", "Description", "Unit", "Price"])
    rows = (
        ("T-110", "Larch board, planed", "m²", 34.5),
        ("T-120", "Oak sleeper, second hand", "piece", 27.9),
        ("T-205", "Spruce lath", "m", 0.85),
        ("T-310", "Linseed oil paint, grey", "litre", 19.95),
    )
    for row in rows:
        sheet.append(row)
        sheet.cell(sheet.max_row, 4).number_format = '"£"#,##0.00'
    sheet.append([])
    sheet.append(["Delivery is free from £400. Cut boards are not taken back."])
    return book


def _budget() -> Any:
    """Sums and shares that are formulas: their values exist only once a spreadsheet program has saved the file."""
    book = openpyxl.Workbook()
    income, costs = book.active, book.create_sheet("Costs")
    income.title = "Income"
    income.append(["Source", "2023", "2024", "Growth", "Due"])
    for number, (source, before, now, due) in enumerate((("Members", 41200, 44290, 2), ("Bar", 18600, 17484, 5)), 2):
        income.append([source, before, now, f"=C{number}/B{number}-1", datetime.date(2024, due, 28)])
        income.cell(number, 4).number_format = "0.0%"
        income.cell(number, 5).number_format = "yyyy-mm-dd"
    income.append(["Total income", "=SUM(B2:B3)", "=SUM(C2:C3)"])
    costs.append(["Item", "Planned", "Spent", "Approved by"])
    for item in (("Pitch drainage", 12750, 13980, "Lorna Keogh"), ("Floodlights", 8400, 7925, "Stefan Ruzek")):
        costs.append(item)
    costs.append(["Total costs", "=SUM(B2:B3)", "=SUM(C2:C3)", ""])
    return book
