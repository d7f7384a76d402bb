"""--metrics and --progress of runs with a database: what was found, written and asked."""

import re

import pytest

import tool
import world as worlds
from promtext import Metrics
from runs import OPEN
from test_apply import sightings
from test_poll import Polls, Shop

CAUSES = ("missed_webhook", "overwritten", "inconsistent", "unproven", "timestamp")


@pytest.fixture
def twelve(server, tmp_path):
    world = sightings(worlds.campaign_of(["sent"], count=12))
    world.save(tmp_path)
    return world.create(server, "deployed")


@pytest.fixture
def measured(runs, tmp_path):
    """measured(db, arguments...): a run, its report and its metrics."""
    def run(db, *arguments):
        done, report = runs.report(db, "--metrics", "m.prom", *OPEN, *arguments)
        return done, report, Metrics(tmp_path / "m.prom", "replay")
    return run


def test_they_say_what_the_report_says(measured, twelve):
    counters = twelve.naming.counters
    twelve.sql("UPDATE %s SET %s = 7, %s = 3" % (twelve.naming.campaign, counters["delivered"],
                                                 counters["read"]))
    done, report, m = measured(twelve, "a")
    assert done.status == 1, done
    for cause in CAUSES:
        assert m("last_run_corrections", cause=cause) == report["causes"][cause]
        assert m("last_run_corrections_written", cause=cause) == 0
    assert m("last_run_corrections", cause="missed_webhook") == 12
    assert m("last_run_rows_matched") == report["messages"]["matched"] == 12
    assert m("last_run_evidence", result="used") == report["messages"]["used"]
    assert m("last_run_campaigns") == m("last_run_campaigns_with_drift") == 1
    counters = report["campaigns"][0]["counters"]
    for name, c in counters.items():
        drift = abs((c["stored"] or 0) - c["recomputed"])
        assert m("last_run_drift", counter=name) == drift, name
    assert m("last_run_drift", counter="delivered") == 5
    assert m("last_run_drift", counter="read") == 9
    assert m("last_run_gaps") == 0 and m("last_run_applied") == 0


def test_what_was_written_is_added_up(measured, twelve):
    measured(twelve, "a")
    done, _, m = measured(twelve, "--apply", "a")
    assert done.status == 0, done
    assert m("last_run_corrections_written", cause="missed_webhook") == 12
    assert m("last_run_applied") == 1
    done, _, m = measured(twelve, "--apply", "a")
    assert m("last_run_corrections", cause="missed_webhook") == 0
    assert m("corrections_written_total", cause="missed_webhook") == 12
    assert m("last_run_campaigns_with_drift") == 0
    assert (m("runs_total", exit_status="1"), m("runs_total", exit_status="0")) == (1, 2)


def test_a_refused_run_shows_what_it_found(measured, twelve):
    done, _, m = measured(twelve, "--apply", "--max-corrections", "5", "a")
    assert done.status == 4, done
    assert m("last_run_exit_status") == 4 and m.get("last_success_timestamp_seconds") is None
    assert m("last_run_corrections", cause="missed_webhook") == 12
    assert m("last_run_corrections_written", cause="missed_webhook") == 0


def test_a_run_that_fails_midway_counts_what_was_committed(measured, twelve):
    twelve.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF NEW.whatsapp_message_id = 'M11' THEN RAISE 'no'; END IF; RETURN NEW; END $$;"
               "CREATE TRIGGER refuse BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION refuse()"
               % twelve.naming.row)
    done, report, m = measured(twelve, "--apply", "--batch", "5", "a")
    assert done.status == 4 and report is None, done
    committed = int(twelve.sql("SELECT count(*) FROM %s WHERE status = 'read'"
                               % twelve.naming.row).strip())
    assert 0 < committed < 12
    assert m("last_run_corrections_written", cause="missed_webhook") == committed
    assert m.get("last_run_corrections", cause="missed_webhook") is None, "not all was decided"


def test_a_run_that_finds_the_lock_held(measured, twelve):
    with twelve.session() as session:
        session.run("SELECT pg_advisory_lock(8243104023216089452);")
        done, _, m = measured(twelve, "--apply", "a")
    assert done.status == 5, done
    assert m("last_run_exit_status") == 5 and m("runs_total", exit_status="5") == 1


def test_a_poll_counts_requests_and_all_its_parts(server, tmp_path):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 30)
    db = shop.create(server)
    polls = Polls(tmp_path)
    g = polls.serve(shop)
    try:
        done, report = polls.report(db, "--apply", "--metrics", "p.prom", "--batch", "10",
                                    "--strategy", "message")
    finally:
        g.stop()
    assert done.status == 0, done
    m = Metrics(tmp_path / "p.prom", "reconcile poll")
    assert m("last_run_requests") == report["input"]["requests"] >= 30
    assert m("last_run_corrections_written", cause="missed_webhook") == 30


def test_progress_is_told_of_each_stage(runs, twelve):
    done = runs.run(twelve, "--progress", "always", "--apply", "--batch", "5", "--recheck", "0",
                    *OPEN, "a")
    assert done.status == 0, done
    said = [line.split(": progress: ")[1] for line in done.lines if ": progress: " in line]
    assert len(said) == 3, done
    assert re.match(r"reading .* \(100%\), 12 records$", said[0])
    assert said[1] == "deciding 12 rows"
    assert said[2] == "writing 12 of 12 rows (100%), 3 batches"


def test_progress_is_told_of_a_poll(server, tmp_path):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 30)
    db = shop.create(server)
    polls = Polls(tmp_path)
    g = polls.serve(shop)
    try:
        done, report = polls.report(db, "--progress", "always", "--strategy", "message", "--apply")
    finally:
        g.stop()
    said = [line.split(": progress: ")[1] for line in done.lines if ": progress: " in line]
    asked = re.match(r"asking about rows, 30 of 30 answered \(100%\), (\d+) requests", said[0])
    assert asked and int(asked.group(1)) == report["input"]["requests"], done
    assert said[1].startswith("deciding 30 rows"), done


def test_the_alerts_ask_for_what_is_written(measured, twelve):
    _, _, m = measured(twelve, "--apply", "a")
    written = {name for name, _ in m.values}
    asked = set(re.findall(r"\breconcile_\w+", (tool.ROOT / "docs" / "alerts.yml").read_text()))
    assert len(asked) > 8 and asked <= written


def test_the_documentation_names_them_all(measured, twelve):
    _, _, m = measured(twelve, "--apply", "a")
    text = (tool.ROOT / "docs" / "formats.md").read_text()
    named = set(re.findall(r"`(reconcile_\w+)", text))
    for stem in re.findall(r"^\| `(\w+)` \| (?:both|last run)", text, re.MULTILINE):
        named |= {"reconcile_last_run_" + stem, "reconcile_%s_total" % stem}
    assert {name for name, _ in m.values} - named == set()
