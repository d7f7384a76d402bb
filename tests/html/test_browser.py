"""The HTML reports of tests/golden in a headless Chromium: make check-html.

SHOTS=DIR keeps what it saw: light, dark, on a telephone, on paper. VNU=FILE is the Nu Html Checker
(vnu.jar), which then validates them."""

import functools
import http.server
import os
import pathlib
import subprocess
import threading

import pytest

import browser
import tool

GOLDEN = tool.ROOT / "tests" / "golden" / "report"
FILES = sorted(p.stem for p in GOLDEN.glob("*.html"))
SHOTS = os.environ.get("SHOTS")
VNU = os.environ.get("VNU")

pytestmark = pytest.mark.skipif(not browser.find(), reason="no Chromium: apt-get install chromium, "
                                "or CHROMIUM=its path")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    running = browser.Browser(tmp_path_factory.mktemp("chromium"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def server():
    """Serves the reports; .asked are the paths that were asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *arguments):
            pass

    running = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(GOLDEN)))
    running.asked = asked
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def complaints(chromium):
    return chromium.told("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                         "Page.javascriptDialogOpening")


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_asked_for_and_nothing_complains(chromium, server, name):
    del server.asked[:]
    url = "http://127.0.0.1:%d/%s.html" % (server.server_address[1], name)
    chromium.load(url)
    assert complaints(chromium) == []
    assert server.asked == ["/%s.html" % name]
    assert {r["request"]["url"] for r in chromium.told("Network.requestWillBeSent")} - {"data:,"} == {url}
    # The policy let the style through, and it applies.
    assert chromium.run("getComputedStyle(document.body).maxWidth") == "1088px"


@pytest.mark.parametrize("attack", [
    "document.body.append(Object.assign(document.createElement('script'), {text: 'document.ran = 1'}))",
    "document.body.insertAdjacentHTML('beforeend', '<svg onload=\"document.ran = 1\"></svg>"
    "<img src=x onerror=\"document.ran = 1\">')",
    "document.body.insertAdjacentHTML('beforeend', '<a id=j href=\"javascript:document.ran=1\">x</a>'),"
    "document.getElementById('j').click()",
    "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"/elsewhere.html\"></iframe>')",
    "document.body.insertAdjacentHTML('beforeend', '<img src=\"/elsewhere.png\">')",
    "document.body.insertAdjacentHTML('beforeend', '<p style=\"position:fixed\">x</p>')",
    "document.body.insertAdjacentHTML('beforeend', '<style>body{display:none}</style>')",
], ids=["script", "handler", "link", "frame", "image", "style attribute", "style"])
def test_the_policy_would_stop_what_gets_in(chromium, server, attack):
    """As if a name had become markup after all."""
    chromium.load("http://127.0.0.1:%d/dry.html" % server.server_address[1])
    del server.asked[:]
    chromium.run("void (%s)" % attack)
    chromium.run("new Promise(r => setTimeout(r, 100))")
    assert any("Content Security Policy" in c["entry"]["text"] for c in complaints(chromium))
    assert chromium.run("document.ran") is None
    assert chromium.run("getComputedStyle(document.body).display") == "block"
    assert chromium.run("[...document.body.children].every(e => getComputedStyle(e).position != 'fixed')")
    assert server.asked == []


@pytest.mark.parametrize("name", FILES)
def test_it_fits(chromium, name):
    """Nothing but a table within its region is wider than the screen, nor than the paper."""
    chromium.load((GOLDEN / (name + ".html")).as_uri())
    for width in (1100, 390, 320):
        chromium.look(width)
        wide = chromium.run("""[...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.scroll *, .vh')
                         && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
            .map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 60))""")
        assert wide == [], width
        assert chromium.run("document.documentElement.scrollWidth") <= width
    chromium.look(690, media="print")  # A4 less its margins
    assert chromium.run("""[...document.querySelectorAll('.scroll')]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 60))""") == []


def test_no_tile_is_alone_in_a_row(chromium):
    """But on a telephone, where three are two and one."""
    chromium.load((GOLDEN / "dry.html").as_uri())
    for how in ({"width": 1100}, {"width": 800}, {"width": 600}, {"width": 690, "media": "print"}):
        chromium.look(**how)
        tops = chromium.run("""[...document.querySelectorAll('.tiles li')]
            .map(e => Math.round(e.getBoundingClientRect().top))""")
        rows = {tops.count(top) for top in tops}
        assert len(tops) == 6 and len(rows) == 1 and rows <= {3, 6}, how


def ground(chromium):
    return chromium.run("getComputedStyle(document.querySelector('.panel')).backgroundColor")


def test_it_is_dark_where_the_browser_is_and_light_on_paper(chromium):
    chromium.load((GOLDEN / "dry.html").as_uri())
    chromium.look(1100)
    light = ground(chromium)
    chromium.look(1100, dark=True)
    assert ground(chromium) != light == "rgb(255, 255, 255)"
    chromium.look(1100, dark=True, media="print")
    assert ground(chromium) == light


def test_the_keyboard_reaches_every_wide_table(chromium):
    chromium.load((GOLDEN / "details.html").as_uri())
    chromium.look(390)
    assert chromium.run("""[...document.querySelectorAll('.scroll')]
        .filter(e => e.scrollWidth > e.clientWidth && e.tabIndex != 0).length""") == 0


@pytest.mark.skipif(not SHOTS, reason="SHOTS=DIR keeps pictures to look at")
@pytest.mark.parametrize("name", FILES)
def test_pictures(chromium, name):
    directory = pathlib.Path(SHOTS)
    directory.mkdir(parents=True, exist_ok=True)
    chromium.load((GOLDEN / (name + ".html")).as_uri())
    for kind, how in (("light", {"width": 1100}), ("dark", {"width": 1100, "dark": True}),
                      ("phone", {"width": 390}), ("phone-dark", {"width": 390, "dark": True})):
        chromium.look(**how)
        chromium.screenshot(directory / ("%s-%s.png" % (name, kind)))
    chromium.look(1100)
    chromium.pdf(directory / (name + ".pdf"))


# It says so of any style that is allowed by its hash, which it does not compute.
BLIND = "Inline style violates Content Security Policy"


@pytest.mark.skipif(not VNU, reason="VNU=vnu.jar validates the reports")
def test_the_nu_html_checker_finds_nothing():
    done = subprocess.run(["java", "-jar", VNU] + [str(GOLDEN / (f + ".html")) for f in FILES],
                          capture_output=True, text=True, timeout=300)
    said = [line for line in done.stderr.splitlines() if BLIND not in line]
    assert said == [], "\n".join(said)
    assert done.returncode == 0
