"""Sample documents of the web: pages as a browser saves them, with all that stands around an article, and e-books."""

from __future__ import annotations

import zipfile
from pathlib import Path

NEWS = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<title>Tunnel under the Elver broken through a month early | The Brackton Courier</title>
<meta property="og:title" content="Tunnel under the Elver broken through a month early">
<style>body{font-family:serif} .ad{display:none}</style>
<script>window.dataLayer=[];dataLayer.push({"page":"article","tracking":"UA-55512"});</script></head>
<body>
<div id="cookie-banner" role="dialog" aria-label="Cookies"><p>We and our 214 partners use cookies to improve your
experience.</p><button>Accept all</button><button>Manage settings</button></div>
<a class="skip-link" href="#main">Skip to content</a>
<header class="site-header"><a href="/">The Brackton Courier</a><p>Wednesday 5 June 2024</p>
<nav aria-label="Main"><ul><li><a href="/news">News</a></li><li><a href="/sport">Sport</a></li>
<li><a href="/weather">Weather</a></li><li><a href="/subscribe">Subscribe for 1 crown</a></li></ul></nav></header>
<main id="main"><nav class="breadcrumb"><a href="/">Home</a> › <a href="/transport">Transport</a></nav>
<article><header><h1>Tunnel under the Elver broken through a month early</h1>
<p class="byline">By <a rel="author" href="/by/rosalind-achterberg">Rosalind Achterberg</a></p></header>
<p>The boring machine of the Elver tunnel reached the eastern shaft on Tuesday at 4.20 in the morning. Eighty miners
watched as the cutter head came through the wall.</p>
<figure><img src="tunnel.jpg" alt="Miners before the cutter head"><figcaption>The machine, called Agathe, weighs 1,150
tonnes and will now be taken apart.</figcaption></figure>
<h2>Cheaper than feared</h2>
<p>The tunnel has cost 412 million crowns so far. That is <b>23 million less</b> than the council had set aside. The
treasurer warned that the tracks are still to be laid.</p>
<div class="ad">Advertisement: win a cruise!</div>
<h2>What comes next</h2>
<ul><li>Tracks are laid from September.</li><li>Signals are tested by the Dutch firm Vandersteen.</li>
<li>Trains run from December 2026.</li></ul>
<blockquote><p>"I have waited for this since I was a boy," said the mayor, Tobias Quillfeather.</p></blockquote>
<div class="share"><a href="#">Share on Facebook</a> <a href="#">Copy link</a></div></article>
<aside class="related"><h2>Related articles</h2><ul><li><a href="/1">Bus fares rise by a tenth</a></li>
<li><a href="/2">Ferry captain retires after 40 years</a></li></ul></aside></main>
<aside class="sidebar"><h3>Most read</h3><ol><li><a href="/3">Ten recipes for rhubarb</a></li></ol>
<form><label>Newsletter <input type="email" placeholder="Your e-mail"></label><button>Sign up</button></form></aside>
<footer><p>© 2024 Brackton Courier Ltd. All rights reserved.</p><nav><a href="/imprint">Imprint</a>
<a href="/privacy">Privacy policy</a></nav></footer></body></html>"""

MANUAL = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Retry policies &mdash; Tern scheduler 4.2 documentation</title>
</head><body class="wy-body"><div class="sidebar" role="navigation"><p class="caption">Tern scheduler</p><ul>
<li><a href="install.html">Installation</a></li><li><a href="queues.html">Queues</a></li>
<li class="current"><a href="#">Retry policies</a></li><li><a href="api.html">API reference</a></li></ul>
<input type="search" placeholder="Search docs"></div>
<div class="document" role="main"><div class="section" id="retry">
<h1>Retry policies<a class="headerlink" href="#retry" title="Permalink">¶</a></h1>
<p>A job that fails is tried again. How often, and after which pause, is told by its <em>retry policy</em>.</p>
<h2>Writing a policy<a class="headerlink" href="#writing" title="Permalink">¶</a></h2>
<p>A policy is an object with three fields:</p>
<div class="highlight"><pre>from tern import Policy

patient = Policy(
    attempts=12,
    backoff="fibonacci",   # each pause is the sum of the two before
)</pre></div>
<div class="admonition warning"><p class="admonition-title">Warning</p><p>A policy without <code>attempts</code> tries
for ever.</p></div>
<h2>Settings of the server<a class="headerlink" href="#server" title="Permalink">¶</a></h2>
<table class="docutils"><thead><tr><th>Setting</th><th>Default</th><th>Effect</th></tr></thead>
<tbody><tr><td><code>retry.max_pause</code></td><td>90 minutes</td><td>No pause is longer.</td></tr>
<tr><td><code>retry.jitter</code></td><td>15 percent</td><td>Pauses differ by chance up to this share.</td></tr>
<tr><td><code>retry.dead_letter</code></td><td>off</td><td>Keeps jobs that were given up.</td></tr></tbody></table>
<dl><dt>dead letter</dt><dd>A job that was given up, kept for 21 days for inspection.</dd></dl></div></div>
<div class="rst-footer-buttons"><a rel="prev" href="queues.html">Previous</a>
<a rel="next" href="api.html">Next</a></div>
<footer>Built with Sphinx using a theme provided by Read the Docs.</footer></body></html>"""

CLUB = """<HTML><HEAD><TITLE>Club des mycologues de Besançon</TITLE>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=windows-1252"></HEAD><BODY BGCOLOR="#FFFFCC">
<TABLE WIDTH="100%" BORDER=0><TR><TD WIDTH=150 VALIGN=top><A HREF="index.htm">Accueil</A><BR>
<A HREF="sorties.htm">Sorties</A><BR><A HREF="livre.htm">Livre d'or</A></TD><TD>
<CENTER><FONT SIZE=5><B>Programme de l'été 1999</B></FONT></CENTER>
<P>Le club se réunit le premier jeudi du mois à la salle Proudhon. L'adhésion coûte 120 francs, les élèves ne paient
rien.
<P>Les sorties partent de la gare à neuf heures. N'oubliez pas le panier&nbsp;: les sacs en plastique abîment la
récolte.<TABLE BORDER=1><TR><TD><B>Date</B></TD><TD><B>Lieu</B></TD><TD><B>Guide</B></TD></TR>
<TR><TD>12 juin</TD><TD>Forêt de Chailluz</TD><TD>Hervé Poncelin</TD></TR>
<TR><TD>10 juillet</TD><TD>Étang de Brognard</TD><TD>Odile Jacquemin</TD></TR>
<TR><TD>14 août</TD><TD>Côtes du Doubs</TD><TD>Lucien Garéchal</TD></TR></TABLE>
<P>La trésorière est Mme Éliane Froidevaux.</TD></TR></TABLE></BODY></HTML>"""

_CHAPTER = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{}</title>
<link rel="stylesheet" href="../style.css"/></head><body>{}</body></html>"""

RECIPES = {
    "Cover": '<section epub:type="cover"><img src="../cover.jpg" alt="Cover"/></section>',
    "Copyright": "<p>First published by Larder Press in 2022. Printed on recycled paper.</p>",
    "Soups": """<h1>Soups</h1><p>A soup forgives everything except haste.</p>
<section><h2>Nettle soup</h2><p>Serves four. Pick the nettles with gloves before they flower.</p>
<ul><li>300 g of young nettle tops</li><li>2 potatoes, diced</li><li>1 litre of hen stock</li></ul>
<ol><li>Soften the potatoes in butter.</li><li>Add the stock and simmer for eighteen minutes.</li>
<li>Stir in the nettles, wait two minutes and blend.</li></ol></section>
<section><h2>Smoked eel broth</h2><p>Bring the bones to a boil with a glass of dry cider<sup><a epub:type="noteref"
href="#n1">1</a></sup>. Strain after forty minutes.</p>
<aside epub:type="footnote" id="n1"><p>The cider of the village of Mauleon is the best for this.</p></aside>
</section>""",
    "Breads": """<h1>Breads</h1><section><h2>Barley flatbread</h2>
<p>The dough rests under a cloth. Bake on a hot stone for three minutes a side.</p>
<table><tr><th>Flour</th><th>Water</th><th>Rest</th></tr><tr><td>barley</td><td>210 g</td><td>35 minutes</td></tr>
<tr><td>spelt</td><td>180 g</td><td>20 minutes</td></tr><tr><td>chestnut</td><td>240 g</td><td>50 minutes</td></tr>
</table></section>""",
}

NOVEL = {
    "The lighthouse": """<p class="chapter">The lighthouse</p>
<p>Nobody had climbed the lighthouse since the keeper, old Ansgar Tveit,
went over to the mainland with his goat. The stair had two hundred and six steps, and Signe counted them all.</p>
<p>“You will find nothing,” her aunt had said. She was wrong about that, as about the goat.</p>""",
    "The letter": """<p class="chapter">The letter</p><p>In the lamp room, behind the third pane, Signe found a
letter sealed with green wax. It was addressed to the harbour pilot. She read it twice and put it into her boot.</p>
<p>The storm came in from the north-west that evening and took the jetty away.</p>""",
    "The pilot": """<p class="chapter">The pilot</p>
<p>The pilot lived above the ropewalk. He kept eleven clocks, all of them
wrong, and offered her tea with salt. “That is my brother's hand,” he said when he saw the letter.</p>""",
}


def write_all(folder: Path) -> None:
    """Saved pages, and e-books of two generations as publishers zip them."""
    (folder / "tunnel.html").write_text(NEWS, "utf-8")
    (folder / "retry-policies.html").write_text(MANUAL, "utf-8")
    (folder / "mycologues.htm").write_bytes(CLUB.encode("cp1252"))
    nav = "".join(f'<li><a href="{number}.xhtml">{name}</a></li>' for number, name in enumerate(RECIPES))
    toc = f'<nav epub:type="toc"><h1>Contents</h1><ol>{nav}</ol></nav>'
    item = '<item id="nav" href="text/nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    _epub(folder / "recipes.epub", "The hedgerow kitchen", RECIPES, item, {"text/nav.xhtml": _CHAPTER.format("", toc)})
    points = "".join(
        f'<navPoint id="n{number}" playOrder="{number}"><navLabel><text>{name}</text></navLabel>'
        f'<content src="text/{number}.xhtml"/></navPoint>'
        for number, name in enumerate(NOVEL)
    )
    ncx = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{points}</navMap></ncx>'
    item = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    _epub(folder / "lighthouse.epub", "The keeper's goat", NOVEL, item, {"toc.ncx": ncx}, 'version="2.0"', 'toc="ncx"')


def _epub(
    path: Path,
    title: str,
    chapters: dict[str, str],
    item: str,
    extra: dict[str, str],
    version: str = 'version="3.0"',
    toc: str = "",
) -> None:
    items = "".join(
        f'<item id="c{number}" href="text/{number}.xhtml" media-type="application/xhtml+xml"/>'
        for number in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf" {version} unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:isbn:9780000000000'
        f"</dc:identifier><dc:title>{title}</dc:title><dc:creator>Hedda Marchbanks</dc:creator>"
        f"<dc:language>en</dc:language></metadata><manifest>{item}{items}</manifest>"
        f"<spine {toc}>{spine}</spine></package>"
    )
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    files = {f"text/{n}.xhtml": _CHAPTER.format(name, body) for n, (name, body) in enumerate(chapters.items())}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        book.writestr("META-INF/container.xml", container)
        for name, text in {"content.opf": package, "style.css": "p { margin: 0 }", **extra, **files}.items():
            book.writestr(f"OEBPS/{name}", text)
