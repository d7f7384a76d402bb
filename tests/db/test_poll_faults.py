"""reconcile poll against servers that fail: the same end, or an honest one; and no key anywhere."""

import os
import pathlib
import random
import signal
import time

import pytest

import gateway
import tables
import tool
from test_poll import Shop, busy_shop, consistent, polls, statuses  # noqa: F401
from runs import shown, stored_counters

KEY = "S3CRET-0f9e8d7c-KEY"


def ending(db):
    """Rows and counters as they are in the end."""
    return ({r["id"]: shown(r) for r in tables.read(db).rows}, stored_counters(db))


@pytest.fixture(scope="module")
def wanted():
    """version -> the end of a run without faults, once it is known."""
    return {}


@pytest.fixture
def compare(server, polls, wanted):
    """compare(version, arguments, faults): runs with and without faults end alike."""
    def run(version, *arguments, tls=None, **how):
        shop = busy_shop(rows=50)
        if version not in wanted:
            polls.serve(shop, version=version)
            db = shop.create(server)
            done = polls.run(db, "--apply")
            assert done.status == 0, done
            wanted[version] = ending(db)
        g = polls.serve(shop, version=version, tls=tls, **how)
        db = shop.create(server)
        done, report = polls.report(db, "--apply", *arguments)
        assert done.status == 0, done
        assert ending(db) == wanted[version]
        g.stop()
        return report, g.log
    return run


FAULTS = {
    "429": {"fault": "429"},
    "429 with Retry-After": {"fault": "429", "retry_after": 1},
    "500": {"fault": "5xx", "status": 500},
    "502": {"fault": "5xx", "status": 502},
    "503": {"fault": "5xx", "status": 503},
    "504": {"fault": "5xx", "status": 504},
    "408": {"fault": "status", "status": 408},
    "stall": {"fault": "stall", "chance": 0.1},
    "trickle": {"fault": "trickle", "chance": 0.1, "seconds": 0.2},
    "reset": {"fault": "reset"},
    "close": {"fault": "close"},
    "cut": {"fault": "cut"},
    "broken json": {"fault": "broken_json"},
    "html": {"fault": "html"},
    "misshapen": {"fault": "misshapen"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_changes_nothing(compare, name):
    report, log = compare("2.3", "--strategy", "message", "--request-timeout", "1",
                          faults=[dict({"chance": 0.15, "times": 1}, **FAULTS[name])])
    failed = sum(log["faults"].values())
    if name in ("reset", "close"):  # libcurl itself asks again where a kept connection broke
        assert 0 < report["input"]["requests_failed"] <= failed
    else:
        assert report["input"]["requests_failed"] == failed > 0
        assert report["input"]["requests"] == log["requests"]


PAGES = {
    "ignored filters": [{"fault": "ignore_filters"}],
    "repeated pages": [{"fault": "repeat_page", "times": 1, "chance": 0.5,
                        "endpoint": "findMessages"}],
    "moving pages": [{"fault": "moving", "every": 2, "endpoint": "findMessages"}],
    "moving and shrinking pages": [{"fault": "moving", "every": 3, "times": 12},
                                   {"fault": "shrinking", "every": 4}],
    "broken pages": [{"fault": "cut", "chance": 0.3, "times": 2},
                     {"fault": "5xx", "chance": 0.3, "times": 2}],
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_that_do_what_they_like_change_nothing(compare, name):
    report, log = compare("2.3", "--strategy", "window", "--page-size", "7", faults=PAGES[name])
    assert set(log["endpoints"]) == {"findMessages"}


@pytest.mark.parametrize("options", [["--gzip"], ["--chunked"], ["--gzip", "--chunked"]],
                         ids=" ".join)
def test_encodings_change_nothing(compare, options):
    compare("2.3", options=options, faults=[{"fault": "cut", "chance": 0.3, "times": 1}])


ANY = [dict(rule, chance=min(rule.get("chance", 0.1), 0.1), times=1) for rule in FAULTS.values()]


@pytest.mark.parametrize("seed", range(6))
def test_any_plan_of_faults_ends_alike(compare, seed):
    rng = random.Random("plan %d" % seed)
    version = ["1.8", "2.3", "2.0-nofind"][seed % 3]
    faults = rng.sample(ANY, 4)
    if version == "2.3":
        faults += PAGES[rng.choice(["ignored filters", "repeated pages", "moving pages"])]
    elif rng.random() < 0.5:
        faults += PAGES["ignored filters"]
    compare(version, "--request-timeout", "1", "--page-size", rng.choice(["10", "500"]),
            "--connections", rng.choice(["3", "8"]), faults=faults, seed=seed)


def test_retry_after_is_waited_for(server, polls):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 1)
    db = shop.create(server)
    g = polls.serve(shop, faults=[{"fault": "429", "retry_after": 2, "times": 1}])
    done = polls.run(db, "--connections", "1")
    assert done.status == 1, done
    g.stop()
    busy = [e["at"] for e in g.log["list"] if e["status"] == 429]
    calm = [e["at"] for e in g.log["list"] if e["status"] == 200]
    assert busy and min(calm) - busy[0] > 1.9


# ---- instances given up ---------------------------------------------------------------------

def two():
    """A campaign of each of two instances; all messages were read."""
    shop = Shop()
    for name in ("good", "bad"):
        shop.sell(shop.campaign(name), shop.instance(name), name, 25, prefix=name)
    return shop


def assert_only(db, shop, name):
    """What instance `name` sent is read, and nothing else; the counters count that."""
    id = {c["name"]: c["id"] for c in shop.tables.campaigns}[name]
    for row in tables.read(db).rows:
        assert row["status"] == ("read" if row["campaign_id"] == id else "sent")
    assert {k: dict(v, total=0) for k, v in consistent(db).items() if k == id} == \
        {k: v for k, v in stored_counters(db).items() if k == id}


REASONS = {
    "unauthorized": ([{"fault": "status", "status": 401, "instance": "bad"}], "401", 1),
    "forbidden": ([{"fault": "status", "status": 403, "instance": "bad"}], "403", 1),
    "refused": ([{"fault": "status", "status": 400, "instance": "bad"}], "400", None),
    "broken": ([{"fault": "5xx", "instance": "bad"}], "503", None),
    "redirect": ([{"fault": "redirect", "location": "http://127.0.0.1:9/", "instance": "bad"}],
                 "redirect", 1),
    "silent": ([{"fault": "stall", "instance": "bad"}], "bad", None),
    "reset": ([{"fault": "reset", "instance": "bad"}], "bad", None),
    "nonsense": ([{"fault": "html", "instance": "bad"}], "bad", None),
}


@pytest.mark.parametrize("reason", REASONS)
def test_the_others_go_on_where_one_is_given_up(server, polls, reason):
    faults, named, requests = REASONS[reason]
    shop = two()
    g = polls.serve(shop, faults=faults)
    arguments = ["--retry-time", "1", "--request-timeout", "1"]
    db = shop.create(server)
    done, dry = polls.report(db, *arguments)
    assert done.status == 3, done
    done, report = polls.report(db, "--apply", *arguments)
    assert done.status == 3, done
    assert report["messages"]["updated"] == dry["messages"]["updated"] == 25
    told = [w for w in report["warnings"] if '"bad"' in w]
    assert len(told) == 1 and named in told[0]
    assert_only(db, shop, "good")
    g.stop()
    if requests:
        assert sum(e["instance"] == "bad" for e in g.log["list"]) == 2 * requests


@pytest.mark.parametrize("strategy", ["window", "message"])
def test_an_instance_whose_answers_have_no_end_is_told_of(server, polls, strategy):
    shop = two()
    polls.serve(shop, faults=[{"fault": "endless", "instance": "bad"}])
    db = shop.create(server)
    done, report = polls.report(db, "--apply", "--strategy", strategy, "--page-size", "5")
    assert done.status == 3, done
    told = [w for w in report["warnings"] if '"bad"' in w]
    assert len(told) == 1 and "answered incompletely" in told[0] and "25 of 25" in told[0]
    assert_only(db, shop, "good")


def test_the_only_instance_is_not_given_up_by_answers_without_an_end(server, polls):
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 5)
    polls.serve(shop, faults=[{"fault": "endless", "own": True}])
    db = shop.create(server)
    done, report = polls.report(db, "--apply", "--page-size", "5")
    assert done.status == 3 and "given up" not in done.said, done
    assert report["messages"]["updated"] == 5 and set(statuses(db).values()) == {"read"}


def test_a_missing_instance_is_named(server, polls):
    shop = two()
    shop.stored = [m for m in shop.stored if m.instance == "good"]
    g = polls.serve(shop, instances=["good"])
    db = shop.create(server)
    done, report = polls.report(db, "--apply")
    assert done.status == 3, done
    assert any('"bad"' in w and "does not exist" in w for w in report["warnings"])
    assert_only(db, shop, "good")
    g.stop()
    assert sum(e["instance"] == "bad" for e in g.log["list"]) == 1


@pytest.mark.parametrize("apply", [[], ["--apply"]])
def test_where_all_are_given_up_the_run_failed(server, polls, apply):
    shop = two()
    g = polls.serve(shop)
    db = shop.create(server)
    before = db.versions()
    done = polls.run(db, *apply, env=polls.environment(key="wrong"))
    assert done.status == 4, done
    assert "401" in done.said and '"good"' in done.said and '"bad"' in done.said
    assert db.versions() == before
    g.stop()
    assert g.log["requests"] == 2


@pytest.fixture
def half_asked(server, polls):
    """A poll whose server fails somewhere in the middle; and how many messages were read."""
    shop = Shop()
    shop.sell(shop.campaign(), shop.instance("loja"), "loja", 60)
    shop.row(shop.campaign("quiet"), "X", instance=shop.instance("well"))

    def run(*arguments, well=True):
        db = shop.create(server)
        faults = [{"fault": "5xx", "chance": 0.05, "instance": "loja"}]
        if not well:
            faults.append({"fault": "status", "status": 403, "instance": "well"})
        polls.serve(shop, faults=faults)
        done, report = polls.report(db, "--strategy", "message", "--retry-time", "0",
                                    "--connections", "1", *arguments)
        read = sum(s == "read" for s in statuses(db).values())
        return db, done, report, read
    return run


def test_what_was_learned_before_giving_up_stays(half_asked):
    db, done, report, read = half_asked("--apply")
    assert done.status == 3, done
    assert 0 < read < 60 and report["messages"]["updated"] == read
    assert {k: dict(v, total=0) for k, v in consistent(db).items() if v["read"]} == \
        {k: v for k, v in stored_counters(db).items() if v["read"]}
    _, done, dry, none = half_asked()
    assert done.status == 3 and none == 0 and dry["messages"]["updated"] == read, done


def test_a_run_that_gave_up_all_says_what_it_committed(half_asked):
    db, done, _, read = half_asked("--apply", well=False)
    assert done.status == 4, done
    assert 0 < read < 60
    assert "%d correction(s) had been committed" % read in done.said, done


def test_nobody_listening_is_said(server, polls):
    shop = two()
    g = polls.serve(shop)
    g.stop()
    done = polls.run(shop.create(server), "--retry-time", "1")
    assert done.status == 4 and "connect" in done.said, done


# ---- transport --------------------------------------------------------------------------------

def test_a_certificate_must_be_trusted(server, polls, tmp_path):
    shop = two()
    cert, key = gateway.certificate(tmp_path)
    g = polls.serve(shop, tls=(cert, key))
    db = shop.create(server)
    before = db.versions()
    done = polls.run(db, "--apply")
    assert done.status == 4 and "certificate" in done.said, done
    assert db.versions() == before
    done = polls.run(db, "--apply", "--cacert", cert)
    assert done.status == 0, done
    assert set(statuses(db).values()) == {"read"}
    g.stop()


def test_a_redirect_carries_the_key_nowhere(server, polls, tmp_path):
    shop = two()
    other = polls.serve(shop)
    polls.serve(shop, faults=[{"fault": "redirect", "status": 307, "location": other.url + "/x"}])
    done = polls.run(shop.create(server), "--apply")
    assert done.status == 4 and "redirect" in done.said, done
    other.stop()
    assert other.log["requests"] == other.log["connections"] == 0


@pytest.mark.parametrize("compressed", [False, True])
def test_a_huge_answer_costs_no_memory(server, polls, compressed):
    shop = two()
    g = polls.serve(shop, faults=[{"fault": "huge", "times": 1, "compressed": compressed,
                                   "instance": "bad"}])
    db = shop.create(server)
    used = polls.peak(db, "--apply")
    assert set(statuses(db).values()) == {"read"}
    g.stop()
    assert g.log["faults"]["huge"] == 1
    # sanitizers have memory of their own
    assert os.environ.get("SANITIZE") or used < 160 * 1024 * 1024


# ---- the key -----------------------------------------------------------------------------------

ECHO = {"status": 403, "error": "Forbidden", "response": {"message": ["apikey %s is bad" % KEY]}}
KEY_CASES = {
    "all is well": [],
    "wrong key": None,
    "errors": [{"fault": "5xx"}],
    "a server that repeats it": [{"fault": "status", "status": 403, "body": ECHO}],
    "a redirect": [{"fault": "redirect", "location": "http://127.0.0.1:9/?apikey=" + KEY}],
    "broken answers": [{"fault": "broken_json"}],
    "a status that is cut": [{"fault": "status", "status": 200, "body": {"messages": {
        "total": 1, "pages": 1, "records": [{"id": "c1", "key": {"id": name + "000000"},
                                             "MessageUpdate": [{"status": "x" * 120 + KEY}]}
                                            for name in ("good", "bad")]}}}],
}


@pytest.mark.parametrize("case", KEY_CASES)
def test_the_key_is_nowhere_to_be_seen(server, polls, tmp_path, case):
    shop = two()
    faults = KEY_CASES[case]
    polls.serve(shop, key="another" if faults is None else KEY, faults=faults or [])
    db = shop.create(server)
    (tmp_path / "key").write_text(KEY + "\n")
    env = polls.environment(key=KEY)
    without = polls.environment(key=None)
    for format, arguments, how in (("json", ["-v", "--apply", "--details"], env),
                                   ("text", ["-v", "--api-key-file", "key"], without)):
        done = polls.run(db, "--format", format, "-o", "report." + format, "--retry-time", "0",
                         *arguments, env=how)
        assert KEY[:6].encode() not in done.out + done.err, done
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name not in ("key", "log.json", "faults.json"):
            assert KEY[:6].encode() not in file.read_bytes(), file


def test_a_key_file_that_everybody_may_read_is_used_and_told_of_once(server, polls, tmp_path):
    shop = two()
    polls.serve(shop, key=KEY)
    db = shop.create(server)
    (tmp_path / "key").write_text(KEY + "\n")
    for mode, told in ((0o640, 0), (0o444, 1)):
        (tmp_path / "key").chmod(mode)
        done, report = polls.report(db, "--api-key-file", "key", env=polls.environment(key=None))
        assert done.status == 1 and report["messages"]["updated"] > 0, done
        said = [w for w in report["warnings"] if "every user may read" in w]
        assert len(said) == told == done.said.count("every user may read"), done
        assert all('"key"' in w for w in said)


def test_the_key_is_in_no_argument_list(server, polls):
    shop = two()
    polls.serve(shop, key=KEY, faults=[{"fault": "stall"}])
    child = polls.start(shop.create(server), "-v", env=polls.environment(key=KEY))
    try:
        time.sleep(0.5)
        assert child.poll() is None
        line = pathlib.Path("/proc/%d/cmdline" % child.pid).read_bytes()
        assert line.startswith(str(tool.BUILD).encode()) and KEY.encode() not in line
    finally:
        child.send_signal(signal.SIGINT)
        done = tool.finish(child)
    assert done.status == 130 and KEY.encode() not in done.out + done.err, done


# ---- interrupted ---------------------------------------------------------------------------------

def test_an_interrupted_poll_keeps_what_it_wrote_and_can_go_on(server, polls):
    shop = two()
    polls.serve(shop, faults=[{"fault": "stall", "instance": "bad"}])
    db = shop.create(server)
    child = polls.start(db, "--apply")
    until = time.monotonic() + 30
    while "read" not in statuses(db).values():
        assert time.monotonic() < until and child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    since = time.monotonic()
    done = tool.finish(child)
    assert done.status == 143, done
    assert time.monotonic() - since < 5
    assert "25 correction(s) had been committed" in done.said
    assert_only(db, shop, "good")
    held = db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND"
                  " application_name LIKE 'reconcile%%'" % db.name)
    assert held.strip() == "0"
    polls.serve(shop)
    done = polls.run(db, "--apply")
    assert done.status == 0, done
    whole = shop.create(server)
    assert polls.run(whole, "--apply").status == 0
    assert ending(db) == ending(whole)


def test_an_interrupted_dry_run_wrote_nothing(server, polls):
    shop = two()
    polls.serve(shop, faults=[{"fault": "stall"}])
    db = shop.create(server)
    before = db.versions()
    child = polls.start(db)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    assert tool.finish(child).status == 130
    assert db.versions() == before
