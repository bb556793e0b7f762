"""Sample documents that are plain text: notes, rules and tables in the encodings that people's programs write."""

from __future__ import annotations

import csv
import io
from pathlib import Path

MINUTES = """Wendlebury Parish Council: minutes of the meeting of 14 March 2023

Present: Cllr J. Ashdown (chair), Cllr P. Okafor, Cllr R. Venn, the clerk, and six members of the public.
Apologies: Cllr M. Tolley.

1. Minutes of the last meeting
The minutes of 14 February were read and signed.

2. Footbridge at Otter Lane
The clerk had asked three firms for an offer. Resolved: the repair of the footbridge is awarded to Hallam & Sons of
Brackton for £18,450. Work begins after Easter.

3. Street lighting
- Lamp 17 in Church Row has been reported to the county twice.
- The lamps at the green are to be switched off between midnight and five.
- A lamp for the bus shelter was refused, since the supply cable would cost more than the lamp.

4. Allotments
Nine plots are let and two are free. The rent stays at £32 a year. Cllr Venn will inspect the fences.

5. Any other business
None. The meeting closed at 9.10 p.m. The next meeting is on 11 April in the schoolroom.
"""

HOUSE_RULES = """Hausordnung der Wohnanlage Lindenhöfe

§ 1 Ruhezeiten
Zwischen 22 Uhr und 6 Uhr ist Nachtruhe. Bohren und Hämmern sind nur bis 19 Uhr erlaubt, sonntags gar nicht.

§ 2 Waschküche
Die Waschküche darf werktags von 8 bis 20 Uhr benutzt werden. Der Schlüssel hängt beim Hausmeister, Herrn Böttcher.
Nach der Wäsche wird das Flusensieb gereinigt.

§ 3 Fahrräder
Fahrräder gehören in den Keller und nicht ins Treppenhaus. Für einen Stellplatz zahlen Mieter vier Euro im Monat.

§ 4 Grillen
Auf den Balkonen darf nur elektrisch gegrillt werden. Der Grillplatz im Hof fasst dreißig Gäste.
"""

WALK = """The Skerrow Way in six stages

A walker's handbook, tenth printing. All distances were measured on the ground
in the dry summer of 2021, and none of them on a map.

STAGE ONE: INVERLOCH TO THE BOTHY
The path leaves the quay at Inverloch and climbs through birch woods for two
hours. There is no water after the sheepfold.
 * Distance: 16 km
 * Ascent: 540 m
 * Shelter: the bothy sleeps eight

STAGE TWO: THE BOTHY TO GLEN HARRAN
A wet stage. The ford below the waterfall cannot be crossed when the marker
stone is under water; walkers then go round by the weir, which adds ninety
minutes.
 * Distance: 21 km
 * Ascent: 310 m
 * Shelter: the Harran Arms keeps six beds for walkers

STAGE THREE: GLEN HARRAN TO KILDOON
The longest stage, over three passes. Carry food for two days, since the shop at
Kildoon has been closed since 2018.
 * Distance: 29 km
 * Ascent: 1,120 m
 * Shelter: none
"""

WAREHOUSE = """仓库管理规定

一、入库
货物到达后，仓管员应在两小时内完成清点，并在系统中登记批号。包装破损的货物单独存放。

二、冷库
冷库的温度应保持在零下18摄氏度。每四小时记录一次温度，记录由值班主管签字。冷库钥匙由安保部保管。

三、消防
灭火器每月检查一次。仓库内严禁吸烟，电动叉车的充电区与货架之间至少留出三米通道。
"""

README = """# Pipefit

Pipefit copies tables from one database into another and carries on where it was stopped.

## Install

Pipefit needs Python 3.11 and nothing else.

```console
$ python -m pip install pipefit
$ pipefit copy --from sqlite:///old.db --to postgresql://localhost/new
```

## Options

| Option | Default | Meaning |
|---|---|---|
| `--batch` | 5000 | rows in one transaction |
| `--retries` | 7 | attempts before a table is given up |
| `--pause` | 250 ms | wait between two batches |

## Exit status

- `0` when all tables were copied
- `3` when a table was given up
- `9` when the target has a newer schema than the source

## Licence

Pipefit is published under the Mozilla Public License 2.0.
"""

ONBOARDING = """---
tags: [people, onboarding]
updated: 2024-02-06
---
# Your first week at Tallow & Reed

Welcome. Read this on the train, it takes five minutes.

## Before you come

1. Send your bank details to payroll.
2. Choose a laptop in the catalogue:
   - light, with a screen of 13 inches
   - heavy, with a screen of 16 inches
3. Tell us if you need a height-adjustable desk.

## Day one

Ask for **Imogen Castellane** at the front desk; she hands out badges until ten o'clock. A badge that is lost costs
15 euros. ~~Badges are printed in room 204.~~

## Who helps with what

* Laptop and passwords: the service desk, extension 4410
* Travel: Benoit Arnaud
* Pay slips: Yusuf Demir, on Tuesdays and Thursdays
"""

BYLAWS = """# Bylaws of the Corran Sailing Club

Adopted by the general meeting on 3 October 2019.

## Article 4. General meeting

The general meeting is held each year in November. It can decide when enough members are present[^quorum]. Members may
send a proxy, and nobody can be proxy for more than two others.

## Article 5. Committee

The committee has a commodore, a treasurer, a secretary and two captains of the harbour. It is elected for two years.

> A member of the committee who misses three meetings in a row is asked to step down.

## Article 6. Moorings

Moorings are given by length of membership. Each boat is hauled out before 15 November, or the club does it at the
owner's cost.

[^quorum]: The quorum is 17 members, proxies not counted.
"""

STATIONS = """station,opened,platforms,passengers a day,step-free
Ashby Road,1868,2,"1,140",no
Brackton Central,1851,9,"38,700",yes
Corran Harbour,1902,3,"4,260",yes
Dunmere,1874,2,610,no
Elverton Parkway,1997,4,"12,930",yes
Fallow Hill,1911,1,85,no
Great Oun,1859,5,"9,015",no
"""

SUPPLIERS = """Nr;Lieferant;Ort;Ware;Zahlungsziel;Rabatt
1001;Böhm & Söhne;Görlitz;Scharniere;30 Tage;2,5 %
1002;Kärntner Glas;Villach;Isolierglas;45 Tage;4,0 %
1003;Müller Beschläge;Nürnberg;Türgriffe;14 Tage;3,0 %
1004;Thüringer Holzwerk;Suhl;Eichenbretter;60 Tage;1,5 %
1005;Weißbach KG;Plauen;Schrauben;10 Tage;2,0 %
"""

SHOPS = """门店,城市,面积（平方米）,开业日期,店长
湖滨店,杭州,420,2019-05-01,周敏
江汉路店,武汉,365,2020-09-12,何志强
春熙路店,成都,510,2018-11-20,罗晓燕
鼓楼店,南京,288,2021-03-08,唐建国
"""


def write_all(folder: Path) -> None:
    """Text, Markdown and CSV files: UTF-8 with and without a mark, UTF-16, Windows-1252 and GB18030."""
    written = {
        "minutes.txt": (MINUTES, "utf-16"),
        "house-rules.txt": (HOUSE_RULES, "cp1252"),
        "walk.txt": (WALK, "utf-8-sig"),
        "warehouse.txt": (WAREHOUSE, "gb18030"),
        "pipefit.md": (README, "utf-8"),
        "onboarding.md": (ONBOARDING, "utf-8"),
        "bylaws.md": (BYLAWS, "utf-8"),
        "stations.csv": (STATIONS, "utf-8-sig"),
        "suppliers.csv": (SUPPLIERS, "cp1252"),
        "shops.csv": (SHOPS, "gb18030"),
        "readings.csv": (_readings(), "utf-8"),
    }
    for name, (text, encoding) in written.items():
        (folder / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))


def _readings() -> str:
    """What a database exports: tabs between the cells, quoted cells with commas and a line end in one of them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, "excel-tab", lineterminator="\n")
    writer.writerow(["meter", "place", "read by", "kWh", "remark"])
    for number in range(1, 61):
        remark = "glass broken,\nreported to the landlord" if number == 44 else "" if number % 7 else "second visit"
        writer.writerow([f"M-{number:04}", f"Quarry Street {number}", "K. Lindqvist", 1300 + 37 * number, remark])
    return out.getvalue()
