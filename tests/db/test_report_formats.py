"""The CSV and HTML reports of runs against a database say what the JSON report of them says."""

import csv
import html
import io
import random

import pytest

import world as worlds
from runs import OPEN

COUNTERS = ("sent", "delivered", "read", "failed", "total")
# name -> what a spreadsheet is to get
FORMULAS = {"=1+1": "'=1+1", "-2;+3": "'-2;'+3", " @x\n": "' @x\\x0A", "a, \"b\"": "a, \"b\""}
MARKUP = "</title><script>alert(1)</script>\u202e"


@pytest.fixture(params=["deployed", "design-bigint"])
def found(request, server, runs, tmp_path):
    """A database with hostile names whose rows lack webhooks, and its archives."""
    world = worlds.campaign_of(["sent", "delivered", "read", "failed"], request.param, 40, 5)
    for campaign, name in zip(world.tables.campaigns, list(FORMULAS) + [MARKUP]):
        campaign["name"] = name
    world.archives["a"] = b"".join(
        worlds.line("loja", "M%d" % n, random.Random(n).choice(["READ", "DELIVERY_ACK", "ERROR"]),
                    "2025-10-20T11:00:00Z") for n in range(0, 40, 3))
    world.save(tmp_path)
    return world.create(server, request.param)


def table(runs, db, *arguments):
    done = runs.run(db, "--format", "csv", *OPEN, *arguments, "a")
    assert done.status == 1, done
    text = done.out.decode("utf-8")
    assert text.count("\n") == text.count("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_csv_has_the_counters_of_the_json_report(found, runs):
    _, report = runs.report(found, *OPEN, "-v", "a")
    rows = table(runs, found, "-v")
    assert len(rows) == 5 * len(report["campaigns"]) == 25
    for n, row in enumerate(rows):
        campaign = report["campaigns"][n // 5]
        held = campaign["counters"][COUNTERS[n % 5]]
        assert row["campaign"] == str(campaign["id"])
        assert row["tenant_id"] == str(campaign["tenant_id"])
        assert row["counter"] == COUNTERS[n % 5]
        assert (int(row["stored"]), int(row["recomputed"])) == (held["stored"], held["recomputed"])
        assert int(row["corrections"]) == campaign["corrections"]
    assert {r["campaign_name"] for r in rows} == set(FORMULAS.values()) | {
        MARKUP.replace("\u202e", "\\xE2\\x80\\xAE")}


def test_csv_has_the_corrections_of_the_json_report(found, runs):
    _, report = runs.report(found, *OPEN, "--details", "a")
    rows = table(runs, found, "--details")
    assert len(rows) == len(report["corrections"]) > 5
    for row, c in zip(rows, report["corrections"]):
        assert row["campaign_contact"] == str(c["campaign_contact"])
        assert row["message_id"] == c["message_id"]
        assert (row["cause"], row["outcome"]) == (c["cause"], "planned")
        for value in c["after"]:
            assert row[value + "_before"] == (c["before"][value] or "")
            assert row[value + "_after"] == (c["after"][value] or "")
        for milestone, (archive, record) in c["evidence"].items():
            assert row[milestone + "_archive"] == archive
            assert row[milestone + "_record"] == str(record)


def test_csv_tells_what_was_written(found, runs):
    done = runs.run(found, "--format", "csv", "--details", "--apply", *OPEN, "a")
    assert done.status == 0, done
    rows = list(csv.DictReader(io.StringIO(done.out.decode(), newline=""), strict=True))
    assert {r["outcome"] for r in rows} == {"written"}
    assert runs.run(found, "--format", "csv", *OPEN, "a").out.count(b"\r\n") == 1  # nothing is left


def test_html_shows_names_as_text_and_every_correction(found, runs, tmp_path):
    _, report = runs.report(found, *OPEN, "--details", "a")
    done = runs.run(found, "--format", "html", "--details", "-o", "report.html", *OPEN, "a")
    assert done.status == 1 and done.out == b"", done
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>\n") and page.endswith("</html>\n")
    assert "<script" not in page and "\u202e" not in page
    assert html.escape(MARKUP[:-1]) in page
    for c in report["corrections"]:
        assert page.count(">%s</span></th>" % c["campaign_contact"]) == 1
    assert page.count("<svg class=\"funnel\"") == len(report["campaigns"])


def test_offline_reports_are_whole_too(replay, tmp_path):
    (tmp_path / "a").write_bytes(worlds.line("<i>", "M", "READ", "2025-10-20T11:00:00Z"))
    page = replay("--offline", "--format", "html", "--explain", "M", "a")
    assert page.status == 0, page
    assert b"&lt;i&gt;" in page.out and page.out.endswith(b"</html>\n")
    cells = replay("--offline", "--format", "csv", "a")
    assert cells.status == 0 and cells.out.startswith(b"run,campaign,") and cells.out.count(b"\n") == 1
