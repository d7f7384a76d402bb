"""The HTML reports of tests/golden, which the unit tests hold the program to, read by parsers.
tests/html has a browser look at them."""

import base64
import hashlib
import html.parser
import json
import re
import xml.etree.ElementTree as ET

import pytest

import tool

GOLDEN = tool.ROOT / "tests" / "golden" / "report"
FILES = sorted(p.name for p in GOLDEN.glob("*.html"))
VOID = {"meta", "link", "br"}
KNOWN = VOID | set("""html head title style body header nav main section article footer div p h1 h2 h3
    ul li dl dt dd pre code strong span bdi abbr a table caption thead tbody tr th td
    svg desc rect path text tspan""".split())
ATTRIBUTES = set("""lang charset http-equiv content name rel href id class scope role tabindex title
    aria-label aria-labelledby aria-describedby aria-hidden
    viewbox preserveaspectratio x y width height d""".split())
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
                    "\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff]")


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.parts = []

    def all(self, *tags):
        """Those within, in order; without tags all."""
        for part in self.parts:
            if isinstance(part, Element):
                if not tags or part.tag in tags:
                    yield part
                yield from part.all(*tags)

    def text(self):
        return "".join(p if isinstance(p, str) else p.text() for p in self.parts)

    def has_class(self, name):
        return name in (self.attributes.get("class") or "").split()


class Reader(html.parser.HTMLParser):
    """A tree, of documents that close what they open."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.root = self.at = Element(None, {}, None)
        self.feed(text)
        self.close()
        assert self.at is self.root, "%s is not closed" % self.at.tag

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), "twice in %s: %s" % (tag, attributes)
        element = Element(tag, dict(attributes), self.at)
        self.at.parts.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attributes):
        assert tag in ("rect", "path"), "%s/" % tag
        self.at.parts.append(Element(tag, dict(attributes), self.at))

    def handle_endtag(self, tag):
        assert tag == self.at.tag, "</%s> in %s, line %d" % (tag, self.at.tag, self.getpos()[0])
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.parts.append(data)

    def handle_comment(self, data):
        raise AssertionError("a comment: %s" % data)

    def handle_decl(self, declaration):
        assert declaration == "DOCTYPE html"

    def handle_pi(self, data):
        raise AssertionError("an instruction: %s" % data)

    unknown_decl = handle_pi


def text_of(name):
    return (GOLDEN / name).read_bytes().decode("utf-8")


def read(name):
    return Reader(text_of(name)).root


def number(text):
    """A number as it is shown; None for null."""
    text = text.replace("\u202f", "").replace("\u2212", "-")
    return None if text == "null" else int(text)


def section(root, name):
    return next(e for e in root.all("section") if e.attributes["id"] == name)


def test_there_are_reports():
    assert len(FILES) >= 8


@pytest.mark.parametrize("name", FILES)
def test_a_report_is_well_formed(name):
    root = read(name)
    for e in root.all():
        assert e.tag in KNOWN, e.tag
        assert not set(e.attributes) - ATTRIBUTES, (e.tag, e.attributes)
    page = next(root.all("html"))
    assert page.attributes == {"lang": "en"}
    assert [e.tag for e in page.parts if isinstance(e, Element)] == ["head", "body"]
    assert not UNSAFE.search(text_of(name))


@pytest.mark.parametrize("name", FILES)
def test_its_drawings_are_xml(name):
    drawings = re.findall("<svg.*?</svg>", text_of(name), re.DOTALL)
    assert len(drawings) == len(list(read(name).all("svg")))
    for drawing in drawings:
        ET.fromstring(drawing)


@pytest.mark.parametrize("name", FILES)
def test_nothing_runs_or_is_loaded(name):
    """Beside what the Content-Security-Policy forbids, there is nothing to forbid."""
    root = read(name)
    ids = {e.attributes["id"] for e in root.all() if "id" in e.attributes}
    for e in root.all():
        for attribute in ("href", "src"):
            target = e.attributes.get(attribute)
            assert target in (None, "data:,") or target.startswith("#") and target[1:] in ids, target
    style = next(root.all("style")).text()
    assert "url(" not in style and "@import" not in style and "expression" not in style
    policy = [e.attributes["content"] for e in root.all("meta")
              if e.attributes.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == ["default-src 'none'; style-src 'sha256-%s'; img-src data:; base-uri 'none'; "
                      "form-action 'none'" % digest]
    # What a policy in the page does not see would come before it.
    order = [e.tag for e in next(root.all("head")).all()]
    assert order.index("meta") == 0 and order.index("style") > 1


@pytest.mark.parametrize("name", FILES)
def test_whoever_does_not_see_it_finds_the_way(name):
    root = read(name)
    ids = [e.attributes["id"] for e in root.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for e in root.all():
        for attribute in ("aria-labelledby", "aria-describedby"):
            assert e.attributes.get(attribute, ids[0]) in ids, e.attributes
        if e.attributes.get("tabindex"):
            assert e.attributes["role"] == "group" and e.attributes["aria-labelledby"]
    levels = [int(e.tag[1]) for e in root.all("h1", "h2", "h3")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:]))
    for table in root.all("table"):
        assert next(table.all("caption")).text().strip()
        heads = list(table.all("th"))
        assert {h.attributes["scope"] for h in heads} <= {"col", "row"}
        widths = {len([c for c in row.parts if isinstance(c, Element)]) for row in table.all("tr")}
        assert len(widths) == 1, table.text()
    for svg in root.all("svg"):
        if svg.attributes.get("aria-hidden") != "true":
            assert svg.attributes["role"] == "img"
            assert next(svg.all("title")).text() and next(svg.all("desc")).text()


def luminance(color):
    def part(i):
        c = int(color[i:i + 2], 16) / 255
        return c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
    return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_can_be_told_apart(dark):
    """WCAG 2: 4.5 for text, 3 for what is drawn."""
    style = (tool.ROOT / "lib" / "html" / "report.css").read_text()
    sets = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
            for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)]
    colors = {**sets[0], **(sets[1] if dark else {})}
    assert set(sets[0]) == set(sets[1])
    for ground in ("page", "panel", "fill"):
        for ink in ("ink", "muted", "link", "drift", "bad", "good"):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    assert contrast(colors["ink"], colors["drift-fill"]) >= 4.5
    assert contrast(colors["drift"], colors["drift-fill"]) >= 4.5
    for drawn in ("now", "was-edge", "drift"):
        assert contrast(colors[drawn], colors["panel"]) >= 3, drawn
        assert contrast(colors[drawn], colors["fill"]) >= 3, drawn


def test_the_counters_are_those_of_the_json_report():
    report = json.loads((GOLDEN / "details.json").read_text())
    parts = {next(e.all("h3")).text(): e for e in section(read("details.html"), "campaigns").all("article")}
    assert len(parts) == len(report["campaigns"]) == 4
    for campaign in report["campaigns"]:
        table = next(parts[campaign["name"]].all("tbody"))
        rates = {}
        for row in table.all("tr"):
            head, stored, recomputed, difference, rate = [c for c in row.parts if isinstance(c, Element)]
            counter = head.parts[0]
            held = campaign["counters"][counter]
            assert number(stored.text()) == held["stored"]
            assert number(recomputed.text()) == held["recomputed"]
            assert number(difference.text()) == held["recomputed"] - (held["stored"] or 0)
            assert difference.has_class("drift") == (
                held["stored"] != held["recomputed"] and counter != "total")
            rates[counter] = rate.text().replace("\u00a0%", "")
        assert float(rates["delivered"]) == campaign["delivery_rate"]
        assert float(rates["read"]) == campaign["read_rate"]


def test_the_funnels_are_drawn_to_scale():
    report = json.loads((GOLDEN / "details.json").read_text())
    for campaign in report["campaigns"]:
        part = next(e for e in section(read("details.html"), "campaigns").all("article")
                    if next(e.all("h3")).text() == campaign["name"])
        counters = [campaign["counters"][c] for c in ("sent", "delivered", "read")]
        most = max(c[k] or 0 for c in counters for k in ("stored", "recomputed"))
        for kind, key in (("was", "stored"), ("now", "recomputed")):
            drawn = [float(r.attributes["width"]) for r in part.all("rect") if r.has_class(kind)]
            expected = [c[key] / most * 360 for c in counters if c[key]]
            assert drawn == pytest.approx(expected, abs=0.1)


def test_the_corrections_are_those_of_the_json_report():
    corrections = json.loads((GOLDEN / "details.json").read_text())["corrections"]
    rows = [row for table in section(read("details.html"), "corrections").all("tbody")
            for row in table.all("tr") if row.text().endswith("planned")]
    assert len(rows) == len(corrections) > 0
    for row, c in zip(rows, corrections):
        text = row.text()
        assert c["campaign_contact"] in text and (c["message_id"] or "(no message id)") in text
        assert c["cause"] in text and c["after"]["status"] in text
        for archive, record in c["evidence"].values():
            assert "%s:%d" % (archive, record) in text


def test_the_drift_is_sorted_by_size():
    table = next(section(read("applied.html"), "drift").all("tbody"))
    drifts = [number(next(c for c in row.parts if c.tag == "td").text()) for row in table.all("tr")]
    assert drifts == sorted(drifts, reverse=True) and len(drifts) == 3


HOSTILE = [
    "\"'\\</title></desc></svg></style></script><script>alert(1)</script>\\xFF\\xFE\\xC3",
    "=HYPERLINK(\"http://example.com/?\"&A1,\"x\")",
    "x\\x0A\\x0Anothing to correct\\x1B[2J\\x7F\\xC2\\x9B\\xE2\\x80\\xAE",
    "replay --apply '</code></pre><img src=x onerror=alert(1)>'",
    "\"onmouseover=\"alert(1)",
    "<!-- &lt; ]]> &#60;",
    "<i>\\x01",
    "<a href=\"javascript:alert(1)\">",
    "x;}body{display:none}<style>*{color:red}</style>",
    "\u05e9\u05dc\u05d5\u05dd <",
    "\\xEF\\xBF\\xBF\\xED\\xA0\\x80<svg/onload=alert(1)>",
    "<u>sent</u>",
    "</p><iframe src=//example.com></iframe>",
    "n" * 200 + "\u2026",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_text(name):
    """The parts of the document that show it hold it, and nothing came of it."""
    root = read("hostile.html")
    assert [e for e in root.all("bdi") if e.text() == name]


def test_hostile_names_change_nothing_of_the_page():
    """The same elements in the same order as with other names, but for what marks escapes."""
    root = read("hostile.html")
    assert len(list(root.all("style"))) == len(list(root.all("title"))) - len(
        [e for e in root.all("svg") if e.attributes.get("role")]) == 1
    assert not list(root.all("script")) and not list(root.all("iframe")) and not list(root.all("img"))
    for bdi in root.all("bdi"):
        assert all(e.tag == "span" and e.attributes == {"class": "x"} for e in bdi.all())
    titles = [t.text() for t in root.all("title")]
    assert "Funnel of " + HOSTILE[0] in titles and "Funnel of " + HOSTILE[2] in titles
