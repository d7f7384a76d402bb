"""The two READMEs have the same structure, and lead to what is there."""

import os
import re
import subprocess

import pytest

import tool

PAGES = ["README.md", "README.pt-BR.md"]


def text(page):
    return (tool.ROOT / page).read_text()


def outline(page):
    """The headings' levels, list items, rows of tables and fenced blocks, in order."""
    found, fenced = [], False
    for line in text(page).splitlines():
        if line.startswith("```"):
            fenced = not fenced
            found.append("block")
        elif not fenced and re.match(r"#+ |- |\|", line):
            found.append(re.match(r"#+|-|\|", line).group())
    return found


def test_the_translation_has_the_structure_of_the_original():
    original, translation = map(text, PAGES)
    assert outline(PAGES[0]) == outline(PAGES[1])
    # what is not translated: what programs print, and what they are called with
    blocks = [re.findall(r"^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
              for page in (original, translation)]
    assert [b for b in blocks[0] if "make " not in b] == [b for b in blocks[1] if "make " not in b]
    options = [sorted(set(re.findall(r"--[a-z][a-z-]+", page))) for page in (original, translation)]
    assert options[0] == options[1]


def least():
    """The oldest version of each that will do, as those say that ask for it."""
    make = re.search(r"^LEAST := (.*)$", (tool.ROOT / "Makefile").read_text(), re.MULTILINE).group(1)
    found = {name: re.sub(r"^(\d+\.\d+)\.0$", r"\1", version)
             for name, version in re.findall(r"(\w+) >= ([\d.]+)", make)}
    code = (tool.ROOT / "lib" / "pgconn.c").read_text()
    found["PostgreSQL"] = re.search(r"#define OLDEST_SERVER (\d+)", code).group(1)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_oldest_versions_are_those_that_are_asked_for(page):
    said = re.findall(r"(\w+), (?:from|a partir da) ([\d.]+)", text(page))
    wanted = least()
    assert set(wanted) == {"libcurl", "jansson", "libpq", "PostgreSQL"}
    assert {(name, version) for name, version in said if name != "systemd"} == set(wanted.items())
    assert ("systemd", "247") in said and "systemd 247 or newer" in text("docs/operations.md")
    units = tool.ROOT / "cron" / "systemd"
    assert any("LoadCredential=" in u.read_text() for u in units.glob("*.service")), "systemd 247's"


def test_the_runbook_names_the_oldest_server():
    assert "PostgreSQL %s or newer" % least()["PostgreSQL"] in text("docs/operations.md")


def test_a_library_that_is_too_old_is_named(tmp_path):
    (tmp_path / "libcurl.pc").write_text("Name: libcurl\nDescription: old\nVersion: 7.65.3\n")
    env = dict(os.environ, PKG_CONFIG_PATH=str(tmp_path))
    done = subprocess.run(["make", "-C", str(tool.ROOT), "--no-print-directory", "lint-flags"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=60)
    assert done.returncode != 0
    assert b"7.65.3" in done.stderr and b"libcurl >= 7.66.0" in done.stderr, done


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", text(page))
    assert len(links) > 10
    for link in links:
        assert (tool.ROOT / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_every_option_named_is_one(page, tmp_path):
    known = ""
    for words in (["replay"], ["reconcile", "poll"], ["reconcile", "audit"], ["reconcile", "apply"],
                  ["reconcile", "revert"]):
        known += tool.run(words[0], words[1:] + ["--help"], tmp_path).out.decode()
    for option in re.findall(r"`(--[a-z-]+)", text(page)):
        assert re.search(r"%s\b" % option, known), option


def demonstration():
    """What demo.sh has generate make."""
    script = (tool.ROOT / "tests" / "demo.sh").read_text().replace("\\\n", " ")
    line = re.search(r"^run 0 generate (.*)$", script, re.MULTILINE).group(1)
    return re.sub(r'"\$\{DEMO_\w+:-(\d+)\}"', r"\1", line).split()


# What differs from one run to the next.
TIMES = re.compile(r"^(  (?:run|started|snapshot|finished)) .*$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_the_report_is_that_of_the_demonstration(page, server, tmp_path):
    blocks = re.findall(r"^```\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)
    shown = next(block for block in blocks if block.startswith("replay "))
    assert tool.run("generate", demonstration(), tmp_path).status == 0
    db = server.fresh("deployed")
    db.sql((tmp_path / "database.sql").read_text())
    done = tool.run("replay", ["-d", db.conninfo(), "archives"], tmp_path)
    assert done.status == 1
    printed, written = TIMES.sub(r"\1", done.out.decode()), TIMES.sub(r"\1", shown)
    # The command at the end names this test's server.
    assert printed.splitlines()[:-1] == written.splitlines()[:-1]
    assert written.endswith("replay --apply -d dbname=campaigns archives\n")
