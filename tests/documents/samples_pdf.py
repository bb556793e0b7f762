"""Sample documents that Chromium prints: a report with running heads, a paper in two columns, a Chinese notice."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser

_HEAD = '<div style="font-size:8px;width:100%;padding:0 15mm;display:flex;justify-content:space-between">{}</div>'
_NUMBER = "<span class=pageNumber></span>"

REPORT = """<html lang="en"><head><title>Annual report 2023</title><style>h1{break-before:page;font-size:20pt}
h1:first-of-type{break-before:avoid} body{font:11pt/1.4 sans-serif} table{border-collapse:collapse;width:100%}
td,th{padding:4px;border-bottom:1px solid #999;text-align:right} td:first-child,th:first-child{text-align:left}
.cover{font-size:34pt;margin-top:80mm;break-after:page}</style></head><body>
<div class="cover">Meridian Ferries plc<br><small>Annual report 2023</small></div>
<h1>Letter from the chair</h1><p>Dear shareholders, the year began with three ships in dock and ended with the best
summer in our history. We carried 2.37 million passengers, eleven in a hundred more than the year before.</p>
<p>The board proposes a dividend of 14 pence a share. It will be paid on 24 May to those who are on the register at the
end of April.</p><p>I thank our crews, who worked through two storms that closed every other harbour on this coast.</p>
<p><i>Dame Philippa Thornbury, chair</i></p>
<h1>The fleet</h1><p>We run five ships. The youngest replaced the Sirius, which was sold to a Greek owner.</p>
<table><thead><tr><th>Ship</th><th>Built</th><th>Cars</th><th>Passengers</th></tr></thead><tbody>
<tr><td>Altair</td><td>2004</td><td>180</td><td>740</td></tr><tr><td>Bellatrix</td><td>2011</td><td>265</td><td>980</td></tr>
<tr><td>Capella</td><td>1998</td><td>120</td><td>515</td></tr><tr><td>Deneb</td><td>2017</td><td>310</td><td>1,150</td></tr>
<tr><td>Electra</td><td>2022</td><td>335</td><td>1,220</td></tr></tbody></table>
<h2>Fuel</h2><p>Each ship but the Capella can take power from the shore. The Electra burns methanol, and saves about
9,400 tonnes of carbon dioxide a year against the ship that she replaced.</p>
<h1>Results by route</h1><p>Amounts are in thousands of pounds.</p>
<table><thead><tr><th>Route</th><th>Sailings</th><th>Revenue</th><th>Profit</th></tr></thead><tbody>
<tr><td>Port Elver to Saint Oun</td><td>2,190</td><td>48,310</td><td>6,120</td></tr>
<tr><td>Port Elver to Grand Brume</td><td>1,460</td><td>31,775</td><td>2,845</td></tr>
<tr><td>Corran to Saint Oun</td><td>365</td><td>4,960</td><td>(715)</td></tr></tbody></table>
<p>The Corran route is kept open under a contract with the county, which pays for part of the loss.</p>
<h1>Risks</h1><p>The three risks that the audit committee discussed most often were these:</p>
<ul><li>The price of methanol, hedged by sixty percent until March 2025</li>
<li>The quay at Grand Brume, whose fenders are worn</li><li>The shortage of marine engineers</li></ul>
<p>The external auditor, Castlemaine Hope LLP, has held office since 2016 and will be replaced next year.</p>
</body></html>"""

PAPER = (
    """<div class="front"><h1>Lichens on gravestones as witnesses of clean air</h1>
<p>Ingrid Solheim<sup>1</sup> and Marek Dvorsky<sup>2</sup></p>
<p class="abstract"><b>Abstract.</b> We surveyed lichens on 1,904 sandstone gravestones in forty churchyards and
compared them with a survey from 1983. The number of species per stone rose from 2.1 to 5.8. Species that need clean
bark and stone returned first along the coast. Gravestones are cheap instruments: each carries its own date.</p></div>
<div class="columns"><h2>1 Introduction</h2><p>Lichens grow slowly and live on what the rain brings. Where sulphur
dioxide was frequent, almost nothing but Lecanora survived in the second half of the last century. Since the power
stations were closed or equipped with filters, observers have repeatedly described returning species, but rarely on
stone.</p><p>Gravestones have advantages that trees do not have. Their age is written on them, their orientation is
uniform, and nobody fells them. Cemeteries are documented, visited and mostly accessible.</p>
<h2>2 Methods</h2><p>In each churchyard we drew up to fifty stones by lot. Every stone was photographed from both sides
under diffuse illumination, and identification was repeated independently by a second observer. Disagreements
concerned 3.6 percent of the records.<sup>a</sup></p><p>Sandstone was distinguished from limestone with a drop of
hydrochloric acid on an inconspicuous spot. Polished surfaces were excluded because their colonisation is
considerably retarded.</p></div>
<div class="notes"><p><sup>1</sup> University of Vardal. <sup>2</sup> Moravian Museum of Natural History.</p>
<p><sup>a</sup> A third observer, Hanne Brekke, settled these from the photographs.</p></div>""",
    """<div class="columns"><h2>3 Results</h2><p>The mean number of species per stone was 5.8, against 2.1 in the
earlier survey. The northern sides carried more species than the southern sides in thirty-one churchyards of forty.
Xanthoria parietina was the commonest newcomer and was encountered on every second stone within ten kilometres of the
coast.</p>
<p>The correlation with ammonia was negative but unimpressive. Agricultural surroundings nevertheless favoured
nitrogen-loving communities, particularly beneath trees in which rooks were nesting.</p>
<h2>4 Discussion</h2><p>Recolonisation of inland churchyards lagged by approximately nineteen years. We attribute this
to the distances that propagules must overcome, and not to persistent contamination of the substrate.</p>
<p>Cleaning is the greatest disturbance. Municipalities that employed pressure washers lost practically everything
that had been established since 1990, whereas brushing with water was harmless.<sup>b</sup></p>
<h2>5 Conclusion</h2><p>Churchyards deserve consideration as permanent observatories. The next survey is planned for
2041, and its protocol has been deposited with the county archives.</p></div>
<div class="notes"><p><sup>b</sup> The parish of Tolne stopped pressure washing after our visit.</p></div>""",
)

NOTICE = """<html lang="zh"><head><title>停水通知</title><style>body{font:12pt/1.6 'Noto Sans CJK SC'}
table{border-collapse:collapse} td,th{border:1px solid #666;padding:4px}</style></head><body>
<h1>关于云溪镇主管网检修停水的通知</h1><p>各用户：因主管网检修，部分区域将临时停水，请提前做好储水准备。</p>
<h2>停水安排</h2><table><tr><th>区域</th><th>开始时间</th><th>恢复时间</th></tr>
<tr><td>东塘路</td><td>8月6日22点</td><td>8月7日5点</td></tr><tr><td>石桥村</td><td>8月8日9点</td><td>8月8日16点</td></tr></table>
<h2>应急送水</h2><p>停水期间，水务局将在镇小学门口安排四辆送水车。行动不便的老人可以拨打热线预约上门送水。</p>
<div style="break-before:page"></div><h2>收费调整</h2><p>自九月起，居民生活用水的价格调整为每立方米2.95元，
低保户每月免费使用五立方米。</p><p>联系人：水务局客户服务科，韩雪梅。</p></body></html>"""

_PAPER_STYLE = """<style>@page{size:A4;margin:22mm 18mm} body{font:10pt/1.35 serif} section{break-after:page}
.columns{column-count:2;column-gap:8mm;text-align:justify} .abstract{margin:0 12mm} .front{text-align:center}
h2{font-size:11pt} .notes{font-size:8pt;border-top:1px solid;margin-top:6mm;width:45%}</style>"""


def print_all(folder: Path, browser: Browser) -> None:
    """The three as PDF: two have running heads, and all have page numbers."""
    page = browser.new_page()
    paper = "".join(f"<section>{_hyphenate(part)}</section>" for part in PAPER)
    named = f'<html lang="en"><head><title>Lichens on stone</title>{_PAPER_STYLE}</head><body>{paper}</body></html>'
    for name, html, left, right in (
        ("annual-report", REPORT, "Meridian Ferries plc", "Annual report and accounts 2023"),
        ("lichens", named, "Solheim and Dvorsky", "Northern Journal of Field Botany 12 (2021)"),
        ("water", NOTICE, "", ""),
    ):
        page.set_content(html)
        page.pdf(
            path=folder / f"{name}.pdf",
            format="A4",
            margin={"top": "22mm", "bottom": "22mm", "left": "18mm", "right": "18mm"},
            display_header_footer=True,
            header_template=_HEAD.format(f"<span>{left}</span><span>{right}</span>"),
            footer_template=_HEAD.format(f"<span></span>{_NUMBER}<span></span>"),
        )
    page.close()


def _hyphenate(html: str) -> str:
    """Words may break where a typesetter's would: before a consonant and a vowel, three letters from either end."""
    return re.sub(r"(?<=[a-z]{3})(?=[bcdfghklmnprstv][aeiou][a-z]{2})(?![^<]*>)", "&shy;", html)
