"""build/generate: the same bytes for the same options, a database that loads, and a truth that the
archives lead to, by the oracle's word."""

import csv
import datetime
import gzip
import os
import re
import resource
import signal
import subprocess

import pytest

import pg
import tables
import tool
from oracle import database, events, fold

LATER = datetime.datetime(2027, 6, 1, tzinfo=datetime.timezone.utc).timestamp()
FLAGS = ("sent", "delivered", "read", "failed")


@pytest.fixture
def generate(tmp_path):
    """generate(directory, options...) run in the test's own directory."""
    def run(directory, *options, **more):
        return tool.run("generate", list(options) + [directory], tmp_path, **more)
    return run


def files(directory):
    """Every file below a directory: name -> (bytes, modification time of archives)."""
    return {str(path.relative_to(directory)):
            (path.read_bytes(), path.stat().st_mtime_ns if "archives" in path.parts else None)
            for path in sorted(directory.rglob("*")) if path.is_file()}


def archives(directory):
    return [str(path) for path in sorted((directory / "archives").iterdir())]


def truth(path):
    with open(path, newline="") as handle:
        return {row["id"]: row for row in csv.DictReader(handle)}


def load(server, directory, variant):
    """A new database with what was generated for it."""
    db = server.fresh(variant)
    done = subprocess.run(db.psql() + ["-f", str(directory / "database.sql")], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    return db


def assert_truth(result, expected, stale_only=True):
    """The oracle's decision is the generator's truth, row by row and in the counters."""
    assert len(result.rows) == len(expected)
    wrong = []
    counters = {}
    for row in result.rows.values():
        told = expected[str(row["id"])]
        corrected = row["id"] in result.cause
        if row["status"] != told["status"] or (stale_only and corrected != (told["corrected"] == "1")):
            wrong.append((told, row, result.cause.get(row["id"])))
        sums = counters.setdefault(row["campaign_id"], dict.fromkeys(("total",) + FLAGS, 0))
        sums["total"] += 1
        for flag in FLAGS:
            sums[flag] += told[flag] == "1"
    assert not wrong, wrong[:3]
    assert result.counters == counters
    assert not result.left_alone


def decide(db, states, **more):
    return database.run(tables.read(db), states, scope="all", now=LATER, **more)


def test_the_same_options_give_the_same_bytes_on_any_number_of_threads(generate, tmp_path):
    options = ["--messages", "400", "--seed", "9", "--truth"]
    for name, jobs in (("a", "1"), ("b", "4"), ("b", "2")):
        done = generate(name, *options, "%s.csv" % name, "--jobs", jobs)
        assert (done.status, done.out, done.err) == (0, b"", b"")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_locale_and_time_zone_do_not_matter(generate, tmp_path):
    generate("a", "--messages", "100")
    env = tool.environment(tmp_path, TZ="Asia/Kolkata", LC_ALL="de_DE.UTF-8")
    generate("b", "--messages", "100", env=env)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_another_seed_gives_another_set(generate, tmp_path):
    generate("a", "--messages", "100", "--seed", "1")
    generate("b", "--messages", "100", "--seed", "2")
    one, other = files(tmp_path / "a"), files(tmp_path / "b")
    assert one.keys() == other.keys()
    assert not any(one[name][0] == other[name][0] for name in one)


@pytest.mark.parametrize("variant", sorted(pg.VARIANTS))
def test_the_archives_lead_every_row_to_the_truth(generate, server, tmp_path, variant):
    naming = "design" if variant.startswith("design") else "deployed"
    done = generate("d", "--messages", "700", "--rows", "900", "--lost", "30", "--truth", "t.csv",
                    "--schema", naming, "--ids", pg.VARIANTS[variant].id_type)
    assert done.status == 0, done
    db = load(server, tmp_path / "d", variant)
    expected = truth(tmp_path / "t.csv")
    states, counts = fold.fold(archives(tmp_path / "d"))
    result = decide(db, states)
    assert_truth(result, expected)
    # updates without a status are edits
    assert counts["archives_damaged"] == counts["invalid_json"] == counts["missing_field"] == 0
    assert counts["unknown_status"] > 0
    assert result.messages["ambiguous"] == result.messages["instance_mismatch"] == 0
    assert result.messages["not_campaign_message"] > 0
    assert {cause for cause, n in result.causes.items() if n} >= {
        "missed_webhook", "overwritten", "inconsistent"}
    # every campaign's counters are wrong in a way of their own
    for campaign in tables.read(db).campaigns:
        stored = {name: campaign[name] for name in result.counters[campaign["id"]]}
        assert stored != result.counters[campaign["id"]]
        assert stored["total"] == result.counters[campaign["id"]]["total"]
    # a second run finds nothing
    again = tables.read(db)
    again.rows = [dict(row, **result.rows[row["id"]]) for row in again.rows]
    assert not database.run(again, states, scope="all", now=LATER).cause


VARIATIONS = [
    (["--shapes", "simple"], events.Options()),
    (["--plain", "--noise", "0"], events.Options()),
    (["--numeric", "app"], events.Options("app")),
    (["--numeric", "baileys"], events.Options("baileys")),
    (["--false-z", "-180"], events.Options("app", "America/Sao_Paulo")),
    (["--duplicates", "80", "--disorder", "7200"], events.Options()),
    (["--damage", "some"], events.Options()),
    (["--hostile"], events.Options()),
    (["--tenants", "3", "--instances", "9", "--campaigns", "7", "--archives", "13"],
     events.Options()),
    (["--lost", "100", "--messages", "3", "--no-log", "--fast-load"], events.Options()),
]


@pytest.mark.parametrize("options,reading", VARIATIONS, ids=[" ".join(v[0]) for v in VARIATIONS])
def test_every_variation_keeps_the_truth(generate, server, tmp_path, options, reading):
    done = generate("d", "--messages", "1100", "--truth", "t.csv", *options)
    assert done.status == 0, done
    db = load(server, tmp_path / "d", "deployed")
    states, counts = fold.fold(archives(tmp_path / "d"), reading)
    result = decide(db, states)
    assert_truth(result, truth(tmp_path / "t.csv"))
    hostile, damaged = "--hostile" in options, "--damage" in options
    assert (result.messages["ambiguous"] > 0) == hostile
    assert (result.messages["instance_mismatch"] > 0) == hostile
    assert ("EDITED" in counts.raw_statuses) == hostile
    assert counts["archives_damaged"] == (4 if damaged else 0)
    assert (counts["invalid_json"] > 0) == damaged


def test_archives_cover_the_whole_life_of_the_campaigns(generate, server, tmp_path):
    generate("d", "--messages", "300", "--truth", "t.csv")
    db = load(server, tmp_path / "d", "deployed")
    states, _ = fold.fold(archives(tmp_path / "d"))
    latest = {}
    for (instance, _), evidence in states.items():
        name = instance.strip().lower()
        for sighting in evidence.sightings.values():
            latest[name] = max(sighting.time, latest.get(name, 0))
    times = [row[t] for row in tables.read(db).rows
             for t in ("sent_at", "delivered_at", "read_at", "failed_at") if row[t]]
    for instance in tables.read(db).instances:
        names = {instance["instance_name"], instance["evolution_instance_name"].lower()}
        reached = max(at for name, at in latest.items()
                      if name in names or name.replace("-", "") in names)
        assert reached >= max(times) - 600 * 1000000


def test_each_lost_message_is_one_correction(generate, server, tmp_path):
    generate("d", "--messages", "250", "--lost", "100", "--rows", "500", "--truth", "t.csv")
    db = load(server, tmp_path / "d", "deployed")
    states, _ = fold.fold(archives(tmp_path / "d"))
    assert len(decide(db, states).cause) == 250
    assert sum(row["corrected"] == "1" for row in truth(tmp_path / "t.csv").values()) == 250


def test_nothing_lost_and_no_drift_is_nothing_to_correct(generate, server, tmp_path):
    generate("d", "--messages", "400", "--lost", "0", "--no-drift")
    db = load(server, tmp_path / "d", "deployed")
    states, _ = fold.fold(archives(tmp_path / "d"))
    result = decide(db, states)
    assert not result.cause
    for campaign in tables.read(db).campaigns:
        assert {k: campaign[k] for k in result.counters[campaign["id"]]} == \
            result.counters[campaign["id"]]


@pytest.mark.parametrize("noise", ["0", "0.5", "2"])
def test_records_are_counted_exactly(generate, tmp_path, noise):
    done = generate("d", "--records", "3000", "--noise", noise, "--no-database")
    assert done.status == 0, done
    _, counts = fold.fold(archives(tmp_path / "d"))
    assert counts["records"] == 3000


def test_a_fast_load_gives_the_same_database(generate, server, tmp_path):
    generate("plain", "--messages", "60")
    generate("fast", "--messages", "60", "--fast-load")
    dumps = [load(server, tmp_path / name, "deployed").dump() for name in ("plain", "fast")]
    lines = [sorted(dump.splitlines()) for dump in dumps]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("naming", ["deployed", "design"])
def test_the_script_makes_the_bigint_schema(generate, server, tmp_path, naming):
    source = pg.SCHEMAS / ("seed.sql" if naming == "design" else "deployed.sql")
    done = subprocess.run(["sh", str(pg.SCHEMAS / "to-bigint.sh")], check=True,
                          input=source.read_bytes(), stdout=subprocess.PIPE)
    sql = done.stdout.decode()
    assert not re.search(r"^ .*uuid(?!_)", sql, flags=re.MULTILINE), "a uuid column is left"
    name = "script_%s" % naming
    server.database("postgres").sql('CREATE DATABASE "%s"' % name)
    db = server.database(name, "design-bigint" if naming == "design" else "bigint")
    db.sql(sql)
    generate("d", "--messages", "60", "--schema", naming, "--ids", "bigint")
    db.sql((tmp_path / "d" / "database.sql").read_text())
    assert db.rows("SELECT count(*) AS n FROM %s" % db.naming.row) == [{"n": 60}]
    # the next log row gets an id that is still free
    db.sql("INSERT INTO {0} (log_type, severity, message, created_at, campaign_id) "
           "SELECT log_type, severity, message, created_at, campaign_id FROM {0} LIMIT 1"
           .format(db.naming.log))


def test_archives_hold_no_time_of_the_run(generate, tmp_path):
    generate("d", "--messages", "200")
    for path in (tmp_path / "d" / "archives").iterdir():
        raw = path.read_bytes()
        assert raw[:2] == b"\x1f\x8b" and raw[3:8] == bytes(5), "a name or a time in the header"
        text = gzip.decompress(raw).decode()
        last = max(re.findall(r"2026-11-\d\dT\d\d:\d\d:\d\d", text))
        told = datetime.datetime.fromisoformat(last + "+00:00").timestamp()
        assert 0 < path.stat().st_mtime - told < 400


def test_some_files_have_several_members(generate, tmp_path):
    generate("d", "--messages", "200")
    members = []
    for path in sorted((tmp_path / "d" / "archives").iterdir()):
        members.append(path.read_bytes().count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"))
    assert members == [1, 4, 1, 1, 4, 1]


def test_files_of_an_earlier_run_go_and_others_stay(generate, tmp_path):
    generate("d", "--messages", "50", "--archives", "4")
    (tmp_path / "d" / "archives" / "mine.txt").write_text("x")
    generate("d", "--messages", "50", "--archives", "2", "--plain")
    names = sorted(os.listdir(tmp_path / "d" / "archives"))
    assert names == ["mine.txt", "w-0000.jsonl", "w-0001.jsonl"]


def test_parts_can_be_left_out(generate, tmp_path):
    generate("a", "--messages", "50", "--no-database")
    generate("b", "--messages", "50", "--no-archives")
    assert os.listdir(tmp_path / "a") == ["archives"]
    assert os.listdir(tmp_path / "b") == ["database.sql"]


WRONG = [
    (["--no-such-option", "d"], "no-such-option"),
    (["--seed"], "--seed"),
    (["--seed", "x", "d"], "x"),
    (["--messages", "-1", "d"], "-1"),
    (["--lost", "101", "d"], "101"),
    (["--lost", "0.001", "d"], "0.001"),
    (["--shapes", "round", "d"], "round"),
    (["--start", "2026-13-01T00:00:00Z", "d"], "2026-13-01T00:00:00Z"),
    (["--start", "2026-02-30T00:00:00Z", "d"], "2026-02-30T00:00:00Z"),
    (["--start", "2026-11-01", "d"], "2026-11-01"),
    (["--level", "0", "d"], "--level"),
    (["--tenants", "5", "--instances", "2", "d"], "--instances"),
    (["--rows", "5", "d"], "--rows"),
    (["--records", "9", "--messages", "9", "d"], "--records"),
    ([], "DIR"),
    (["d", "e"], "e"),
]


@pytest.mark.parametrize("arguments,named", WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_a_wrong_option_is_one_line_and_status_2(tmp_path, arguments, named):
    done = tool.run("generate", arguments, tmp_path)
    assert done.status == 2, done
    assert len(done.lines) == 1 and named in done.lines[0]
    assert done.out == b"" and os.listdir(tmp_path) == []


def test_help_names_every_option(tmp_path):
    done = tool.run("generate", ["--help"], tmp_path)
    source = (tool.ROOT / "fixtures" / "gen_options.c").read_text()
    options = re.findall(r'^    \{"([a-z-]+)", ', source, flags=re.MULTILINE)
    assert done.status == 0 and len(options) > 30
    for option in options:
        assert re.search(r"^  --%s( |$)" % option, done.out.decode(), flags=re.MULTILINE), option


def test_a_full_disk_is_one_line_and_status_4(generate, tmp_path):
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
    done = generate("d", "--messages", "5000", preexec_fn=small_files)
    assert done.status == 4, done
    assert len(done.lines) == 1 and "could not write" in done.lines[0]
    left = [path.name for path in (tmp_path / "d").rglob("*") if path.is_file()]
    assert not any(name.endswith(".tmp") for name in left)


def test_a_directory_that_cannot_be_made_is_one_line_and_status_4(generate, tmp_path):
    (tmp_path / "file").write_text("x")
    done = generate("file/d")
    assert done.status == 4 and len(done.lines) == 1 and "file" in done.lines[0]
