"""A folder of documents as people have them: three or more of each format, by the programs that write them.

All names and figures are invented. Chromium prints, LibreOffice converts, the formats' own libraries write.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import openpyxl
from playwright.sync_api import Browser

from tests.documents import samples_office, samples_pdf, samples_text, samples_web
from tests.documents.samples_office import Blocks

SOFFICE = shutil.which("soffice")

SCHOOL = """<html lang="en"><head><title>Report of the school board</title></head><body>
<h1>Report of the school board of Fennick</h1><p>The board met nine times<a class="sdfootnoteanc" name="sdfootnote1anc"
href="#sdfootnote1sym"><sup>1</sup></a> between August and June. It has seven members.</p><h2>Pupils</h2>
<p>Numbers fell for the third year in a row, most of all in the first classes.</p>
<table border="1"><thead><tr><th>School</th><th>Pupils</th><th>Teachers</th></tr></thead>
<tr><td>Mill Lane</td><td>214</td><td>16</td></tr><tr><td>Castle Hill</td><td>187</td><td>13</td></tr>
<tr><td>Saint Brannock</td><td>96</td><td>8</td></tr></table><h2>Buildings</h2>
<ul><li>The roof of the gym at Mill Lane was renewed in May.</li><li>The boiler at Castle Hill is to be replaced by a
heat pump.</li><li>Asbestos was found in the cellar of Saint Brannock.</li></ul>
<h2>Meals</h2><p>A school meal costs the parents 3 crowns 20<a class="sdfootnoteanc" name="sdfootnote2anc"
href="#sdfootnote2sym"><sup>2</sup></a> and is cooked by the hospital kitchen.</p>
<div id="sdfootnote1"><p class="sdfootnote"><a class="sdfootnotesym" name="sdfootnote1sym" href="#sdfootnote1anc">1</a>
The meeting of 12 January was held by telephone because of the snow.</p></div>
<div id="sdfootnote2"><p class="sdfootnote"><a class="sdfootnotesym" name="sdfootnote2sym" href="#sdfootnote2anc">2</a>
Families with four or more children pay half of it.</p></div></body></html>"""
LEASE: Blocks = (
    "# Lease of business premises",
    "Between Ottoline Pargeter (the landlord) and the Copper Kettle tea room (the tenant).",
    "## 1 Premises",
    "The premises are the ground floor and the yard of 14 Weaver Street. The cellar is not part of them.",
    ["The counter and the stove stay in the premises.", "The awning is the tenant's and may be taken away."],
    "## 2 Rent",
    "The rent is paid on the first working day of each quarter. It rises with the index of consumer prices, at most by "
    "four percent a year. The tenant has paid a deposit, which the landlord keeps in a separate account.",
    [["Period", "Rent a quarter"], ["First year", "£5,640"], ["Second year", "£5,820"], ["Third year", "£6,015"]],
    "\f",
    "The tenant may not hand the premises over to others, in whole or in part, without leave in writing. Leave is not "
    "refused without a reason, and the landlord answers within a month.",
    "## 3 Animals",
    "The tenant may keep one cat against mice. Dogs of guests are tied up in the yard.",
    "\f",
    "## 4 Repairs",
    "Repairs of less than £250 are the tenant's. The landlord lets the chimney be swept before each winter.",
)
TENDER: Blocks = (
    "# Public tender: school buses of Fennick county",
    "Offers are opened in public in room 12 of the county hall on 17 October 2024 at noon.",
    "## Lots",
    [["Lot", "Route", "Seats"], ["A", "Fennick to Brill", "54"], ["B", "Fennick to Stow", "38"], ["C", "Moor", "22"]],
    "## Requirements",
    ["Buses not older than six years", "A substitute driver within 25 minutes", "Seat belts on every seat"],
    "## Questions",
    "Questions are answered by Clemency Rook of the purchasing office until two weeks before the opening.",
)
BIRDS: Blocks = (
    "# Waders",
    "Waders walk in shallow water and on mud. Look at the bill first, then at the legs.",
    "The stilt sandpiper probes the mud like a sewing machine. It lays four eggs in a scrape that the male has lined.",
    "# Gulls",
    "Gulls take four years to grow up, and look different in each of them.",
    ["Common gull: greenish legs, no red on the bill", "Glaucous gull: pink legs, wings without any black"],
    "# Owls",
    "Owls are heard more often than seen. The tawny owl answers a whistle; the barn owl hisses.",
    "The pygmy owl hunts by day, and stores voles in nest boxes for the winter.",
)
INSPECTIONS = (
    ("Lift", "Address", "Inspector", "Date", "Result"),
    ("L-301", "2 Quay Road", "Tomasz Wilk", "2024-03-04", "passed"),
    ("L-302", "9 Quay Road", "Tomasz Wilk", "2024-03-04", "passed, door slow"),
    ("L-317", "1 Abbey Close", "Bettina Krog", "2024-03-11", "closed, cable worn"),
    ("L-318", "5 Abbey Close", "Bettina Krog", "2024-03-11", "passed"),
)


def write_samples(folder: Path, workshop: Path, browser: Browser) -> None:
    """Write every sample into `folder`; what LibreOffice converts lies in `workshop` before."""
    assert SOFFICE
    for kind in ("html", "docx", "pptx", "xlsx"):
        (workshop / kind).mkdir(parents=True)
    samples_text.write_all(folder)
    samples_web.write_all(folder)
    samples_pdf.print_all(folder, browser)
    samples_office.write_all(folder, workshop)
    (workshop / "school.html").write_text(SCHOOL, "utf-8")
    samples_office.document(LEASE, head="Weaver Street 14 · lease").save(str(workshop / "lease.docx"))
    samples_office.document(TENDER).save(str(workshop / "tender.docx"))
    samples_office.document(BIRDS).save(str(workshop / "birds.docx"))
    sheet = openpyxl.Workbook()
    for row in INSPECTIONS:
        sheet.active.append(row)
    sheet.save(workshop / "inspections.xlsx")
    for name, suffix in (
        ("school.html", "docx"),
        ("lease.docx", "pdf"),
        ("tender.docx", "html"),
        ("birds.docx", "epub"),
        ("training.pptx", "pptx"),
        ("budget.xlsx", "xlsx"),
        ("inspections.xlsx", "csv"),
    ):
        _save_as(workshop / name, suffix, folder)


def _save_as(path: Path, suffix: str, folder: Path) -> None:
    """Let LibreOffice open this file and save it in this format, with a profile of its own: others may be running."""
    profile = f"-env:UserInstallation={(path.parent / 'profile').as_uri()}"
    opened: Sequence[str] = ["--infilter=HTML (StarWriter)"] if path.suffix == ".html" else []
    command = [str(SOFFICE), profile, "--headless", *opened, "--convert-to", suffix, "--outdir", str(folder), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (folder / path.with_suffix(f".{suffix}").name).exists(), done.stdout + done.stderr
