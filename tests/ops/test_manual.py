"""The manual pages are well formed, and say what the programs understand and write."""

import json
import re
import subprocess

import pytest

import archives
import tool

PAGES = sorted(tool.ROOT.glob("re*/*.[15]"))
TOOLS = {"replay.1": [("replay",)],
         "reconcile.1": [("reconcile", c) for c in ("poll", "audit", "apply", "revert")]}

# About the machine, not about the page: which other pages are installed there.
OF_THE_MACHINE = ("referenced manual not found", "outdated mandoc.db")


def source(name):
    return next(p for p in PAGES if p.name == name).read_text()


def test_there_are_three_pages():
    assert [p.name for p in PAGES] == ["reconcile-formats.5", "reconcile.1", "replay.1"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_mandoc_finds_nothing_wrong(page):
    done = subprocess.run([tool.program("mandoc"), "-T", "lint", str(page)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    said = [line for line in done.stdout.decode().splitlines()
            if not any(word in line for word in OF_THE_MACHINE)]
    assert said == []


@pytest.mark.parametrize("page", sorted(TOOLS))
def test_a_page_has_the_options_of_help_and_no_other(page, tmp_path):
    helped = set()
    for words in TOOLS[page]:
        out = tool.run(words[0], list(words[1:]) + ["--help"], tmp_path).out.decode()
        helped |= set(re.findall(r"^ +(?:-(\w), )?--([a-z-]+)", out, re.MULTILINE))
    in_page = set(re.findall(r"^\.It (?:Fl (\w) , )?Fl Fl ([a-z-]+)", source(page), re.MULTILINE))
    assert in_page == helped


@pytest.mark.parametrize("page", sorted(TOOLS))
def test_a_page_names_the_same_arguments_and_defaults_as_help(page, tmp_path):
    """An initial value in --help is in the page's text of that option, too."""
    text = source(page)
    for words in TOOLS[page]:
        out = tool.run(words[0], list(words[1:]) + ["--help"], tmp_path).out.decode()
        options = re.split(r"^ +(?:-\w, )?--", out.split("\nEnvironment")[0], flags=re.MULTILINE)[1:]
        for option in options:
            name = re.match("[a-z-]+", option).group()
            default = re.search(r"\(default:\s(\S+)\)", option)
            entry = re.search(r"^\.It (?:Fl \w , )?Fl Fl %s\b(.*?)(?=^\.It |^\.El)" % name, text,
                              re.MULTILINE | re.DOTALL).group(1)
            if default:
                assert re.search(r"(?<!\w)%s(?!\w)" % re.escape(default.group(1)), entry), (name, default)


# Set and put back, to ask the time zone database with.
NOT_HEEDED = {"TZ"}


def test_the_pages_name_every_variable_that_is_read():
    """Each page those of its program: a replay asks no gateway, and nothing else keeps records."""
    code = "\n".join(p.read_text() for p in sorted(tool.ROOT.glob("lib/*.c")))
    read = set(re.findall(r'getenv\("(\w+)"\)', code)) - NOT_HEEDED
    assert {"NO_COLOR", "HOME"} <= read
    named = {page: set(re.findall(r"[A-Z_]+", " ".join(re.findall(
        r"^\.It Ev (.*)", source(page), re.MULTILINE)))) for page in TOOLS}
    assert read - set().union(*named.values()) == set()
    only = {"replay.1": {"EVOLUTION_API_URL", "EVOLUTION_API_KEY"}, "reconcile.1": {"TMPDIR"}}
    for page, names in named.items():
        assert read - names == only[page], page


def members(value):
    """Every key of a JSON value whose keys are names and not data."""
    found = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found.add(key)
            if key not in ("raw_statuses", "evidence", "counters"):
                found |= members(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= members(inner)
    return found


def test_the_page_of_formats_names_every_member_that_is_written(tmp_path):
    archives.save(tmp_path / "a", b'{"event":"messages.update","instance":"i","data":{"keyId":"K",'
                  b'"status":"READ"},"date_time":"2025-10-20T10:00:00Z"}\n{"broken\n', 1760900000)
    done = tool.run("replay", ["--offline", "--format", "json", "--states-out", "states",
                               "--rejects", "rejects", "a"], tmp_path)
    assert done.status == 0, done
    golden = json.loads((tool.ROOT / "tests/golden/report/details.json").read_text())
    written = members(json.loads(done.out)) | members(golden)
    for name in "states", "rejects":
        lines = (tmp_path / name).read_text().splitlines()
        assert lines
        for line in lines:
            written |= members(json.loads(line))
    marked = re.findall(r"\bVa (.*)", source("reconcile-formats.5"))
    named = set(re.findall(r"[a-z_]+", " ".join(marked)))
    assert written - named == set()
