"""Polling Evolution: strategies, faults and what is learned, without a database.

The probe is build/tests/unit/test_source_api, which prints what lib/source_api.c hands on.
"""

import json
import os
import random
import signal
import subprocess
import time

import pytest

import gateway
import tool

PROBE = "tests/unit/test_source_api"
NOW = "2026-06-02T12:00:00.000000Z"
NOW_SECONDS = 1780401600
START = NOW_SECONDS - 5 * 86400
MEANING = {"SERVER_ACK": "sent", "DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read",
           "ERROR": "failed"}


def iso(seconds):
    millis = round(seconds * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis // 1000)) \
        + ".%03d000Z" % (millis % 1000)


class Polled:
    """What the probe printed."""

    def __init__(self, done):
        self.status = done.status
        self.said = done.said
        self.events, self.done, self.failed, self.counts = [], {}, None, None
        self.ends = {}
        for line in done.out.decode().splitlines():
            kind, *fields = line.split("\t")
            if kind == "event":
                self.events.append(tuple(fields))
            elif kind == "done":
                assert fields[0] not in self.done
                self.done[fields[0]], self.ends[fields[0]] = fields[1:]
            elif kind == "failed":
                self.failed = fields
            elif kind == "counts":
                self.counts = dict(zip(("requests", "failed", "updates", "events", "ignored",
                                        "unknown"), map(int, fields)))

    def evidence(self):
        """What is known, whoever said it and how often."""
        return {event[:5] for event in self.events}


def environment(directory, key=gateway.KEY, now=NOW, **extra):
    env = {k: v for k, v in tool.environment(directory).items() if not k.lower().endswith("_proxy")}
    env.update(EVOLUTION_API_KEY=key, no_proxy="127.0.0.1")
    if now:
        env["RECONCILE_NOW"] = now
    env.update(extra)
    return env


def asking(asked):
    """Lines of (instance, id, sent_at in seconds or None[, created_at])."""
    lines = []
    for instance, id, sent_at, *created_at in asked:
        times = [sent_at] + (created_at or [None])
        lines.append("\t".join([instance, id] + ["-" if t is None else iso(t) for t in times]))
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def poll(tmp_path):
    """poll(url, asked, option=value ...) with option_name for option-name."""
    def run(url, asked, key=gateway.KEY, now=NOW, env=None, **options):
        options.setdefault("retry_time", 20)
        arguments = ["url=" + url] + ["%s=%s" % (name.replace("_", "-"), value)
                                      for name, value in options.items()]
        return Polled(tool.run(PROBE, arguments, tmp_path, stdin=asking(asked),
                               env=env or environment(tmp_path, key, now)))
    return run


def ask_all(stored):
    return [(m.instance, m.id, m.timestamp) for m in stored]


def expected(stored, exact=False):
    """The evidence that the stored messages hold."""
    return {(m.instance, m.id, MEANING[status], iso(at / 1000) if exact else NOW,
             "exact" if exact else "approximate")
            for m in stored for status, at in m.updates}


def world(count=200, instances=("loja-1",), seed=1):
    return [m for i in instances for m in gateway.messages(i, count, START, seed)]


# ---- strategies ---------------------------------------------------------------

@pytest.mark.parametrize("version, exact", [("1.8", True), ("2.3", False), ("2.0-nofind", False)])
def test_each_message_is_asked_about_once(tmp_path, poll, version, exact):
    stored = world(60)
    with gateway.Gateway(tmp_path / "g", stored, version=version) as g:
        polled = poll(g.url, ask_all(stored), strategy="message")
    assert polled.done == {"loja-1": ""}
    assert polled.evidence() == expected(stored, exact)
    assert g.log["endpoints"] == {"findStatusMessage": 60}
    assert polled.counts["requests"] == 60 and polled.counts["failed"] == 0
    assert polled.counts["events"] == polled.counts["updates"] == len(polled.events)


@pytest.mark.parametrize("total, size", [(1, 10), (99, 10), (100, 10), (101, 10), (1234, 500)])
def test_a_window_needs_a_request_a_page(tmp_path, poll, total, size):
    stored = world(total)
    with gateway.Gateway(tmp_path / "g", stored) as g:
        polled = poll(g.url, ask_all(stored)[::3], strategy="window", page_size=size)
    assert polled.evidence() == expected(stored[::3])
    assert g.log["requests"] == polled.counts["requests"] == -(-total // size)
    assert g.log["most_connections"] <= 8


def test_a_window_is_no_wider_than_the_messages_asked_about(tmp_path, poll):
    stored = world(1000)
    asked = ask_all(stored)[400:450]
    with gateway.Gateway(tmp_path / "g", stored) as g:
        poll(g.url, asked, strategy="window")
    span = json.loads(g.log["list"][0]["body"])["where"]["messageTimestamp"]
    assert span == {"gte": iso(asked[0][2] - 3600)[:23] + "Z",
                    "lte": iso(asked[-1][2] + 3600)[:23] + "Z"}
    assert {e["body"].split("page")[0] for e in g.log["list"]} == \
        {g.log["list"][0]["body"].split("page")[0]}


def test_a_message_without_sent_at_may_have_been_sent_until_now(tmp_path, poll):
    late = gateway.Message("loja-1", "LATE", NOW_SECONDS - 60, [("READ", 0)])
    early = gateway.Message("loja-1", "EARLY", START, [("READ", 0)])
    with gateway.Gateway(tmp_path / "g", [late, early]) as g:
        polled = poll(g.url, [("loja-1", "LATE", None, START + 86400), ("loja-1", "EARLY", None)],
                      strategy="window")
        assert {e[1] for e in polled.events} == {"LATE", "EARLY"}
        polled = poll(g.url, [("loja-1", "LATE", None, START + 86400),
                              ("loja-1", "EARLY", None, START + 86400)], strategy="window")
        assert {e[1] for e in polled.events} == {"LATE"}


def test_auto_pages_where_that_is_possible_and_worth_it(tmp_path, poll):
    stored = world(21)
    with gateway.Gateway(tmp_path / "g", stored) as g:
        assert poll(g.url, ask_all(stored)).evidence() == expected(stored)
        assert poll(g.url, ask_all(stored)[:20]).evidence() == expected(stored[:20])
    assert g.log["endpoints"] == {"findMessages": 1, "findStatusMessage": 20}


@pytest.mark.parametrize("version, exact", [("1.8", True), ("2.0-nofind", False)])
def test_auto_asks_message_by_message_elsewhere(tmp_path, poll, version, exact):
    stored = world(30)
    with gateway.Gateway(tmp_path / "g", stored, version=version) as g:
        polled = poll(g.url, ask_all(stored))
    assert polled.done == {"loja-1": ""}
    assert polled.evidence() == expected(stored, exact)
    assert g.log["endpoints"] == {"findMessages": 1, "findStatusMessage": 30}
    assert polled.counts["failed"] == 0


def test_auto_asks_again_for_messages_that_no_page_held(tmp_path, poll):
    stored = world(40)
    moved = gateway.Message("loja-1", "OTHER-TIME", START - 30 * 86400, [("READ", 0)])
    asked = ask_all(stored) + [("loja-1", "OTHER-TIME", START), ("loja-1", "NOWHERE", START)]
    with gateway.Gateway(tmp_path / "g", stored + [moved]) as g:
        polled = poll(g.url, asked)
    assert polled.evidence() == expected(stored + [moved])
    assert {e["body"] for e in g.log["list"][-2:]} == {
        '{"where":{"id":"%s"},"page":1,"offset":500}' % i for i in ("OTHER-TIME", "NOWHERE")}


def test_window_says_where_it_cannot_be_used(tmp_path, poll):
    stored = world(5)
    with gateway.Gateway(tmp_path / "g", stored, version="1.8") as g:
        polled = poll(g.url, ask_all(stored), strategy="window")
    assert "--strategy message" in polled.done["loja-1"]
    assert g.log["requests"] == 1
    with gateway.Gateway(tmp_path / "g", stored, version="2.0-nofind") as g:
        polled = poll(g.url, ask_all(stored), strategy="window")
    assert "HTTP 404" in polled.done["loja-1"]
    assert g.log["requests"] == 1


def test_many_statuses_of_one_message_are_paged(tmp_path, poll):
    updates = [(s, 1780000000000 + i) for i, s in enumerate(["READ", "DELIVERY_ACK"] * 3 + ["ERROR"])]
    stored = [gateway.Message("loja-1", "M", START, updates)]
    with gateway.Gateway(tmp_path / "g", stored) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", page_size=3)
    assert polled.evidence() == expected(stored)
    assert len(polled.events) == 7 and g.log["requests"] == 3
    with gateway.Gateway(tmp_path / "g", stored, version="1.8") as g:  # knows no pages
        polled = poll(g.url, ask_all(stored), strategy="message", page_size=3)
    assert polled.evidence() == expected(stored, exact=True)
    assert len(polled.events) == 7 and g.log["requests"] == 2


def test_numbers_follow_the_dialect_and_strange_words_are_counted(tmp_path, poll):
    updates = [(s, 0) for s in (1, 2, 3, 5, 9, "delivery_ack", "DELETED", "Lida")]
    stored = [gateway.Message("loja-1", "M", START, updates)]
    with gateway.Gateway(tmp_path / "g", stored) as g:
        app = poll(g.url, ask_all(stored))
        baileys = poll(g.url, ask_all(stored), codes="baileys")
    assert [e[2] for e in app.events] == ["pending", "delivered", "read", "delivered"]
    assert app.counts["unknown"] == 3 and app.counts["ignored"] == 1
    assert [e[2] for e in baileys.events] == ["pending", "sent", "delivered", "read", "delivered"]


def test_what_was_not_asked_about_is_not_told(tmp_path, poll):
    stored = world(50, ("a", "b"))
    asked = [("a", m.id, m.timestamp) for m in stored if m.instance == "b"]
    asked += [("b", m.id, m.timestamp) for m in stored[:10]]
    with gateway.Gateway(tmp_path / "g", stored) as g:
        polled = poll(g.url, asked)
    assert polled.events == [] and polled.counts["updates"] == 0
    assert polled.done == {"a": "", "b": ""}


def test_a_message_asked_about_twice_is_asked_once(tmp_path, poll):
    stored = world(3)
    with gateway.Gateway(tmp_path / "g", stored) as g:
        polled = poll(g.url, ask_all(stored) * 2)
    assert g.log["requests"] == 3 and polled.evidence() == expected(stored)


def test_instance_names_are_encoded(tmp_path, poll):
    name = "loja/são paulo?#%2F"
    stored = world(2, (name,))
    with gateway.Gateway(tmp_path / "g", stored) as g:
        assert poll(g.url + "/base/", ask_all(stored)).evidence() == expected(stored)
    assert {e["instance"] for e in g.log["list"]} == {name}


# ---- the connection ---------------------------------------------------------------

def test_connections_are_kept_and_capped(tmp_path, poll):
    stored = world(100, ("a", "b", "c", "d"))
    with gateway.Gateway(tmp_path / "g", stored) as g:
        poll(g.url, ask_all(stored), strategy="message", connections=3)
    assert g.log["requests"] == 400
    assert g.log["most_at_once"] <= 3 and g.log["connections"] <= 3


def test_the_rate_is_kept(tmp_path, poll):
    stored = world(40, ("a", "b"))
    with gateway.Gateway(tmp_path / "g", stored) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", rate=40)
    at = [e["at"] for e in g.log["list"]]
    assert polled.evidence() == expected(stored)
    assert at[-1] - at[0] >= 79 / 40 - 0.1
    for i in range(len(at) - 20):
        assert at[i + 20] - at[i] > 20 / 40 - 0.15


@pytest.mark.parametrize("options", [["--gzip"], ["--chunked"], ["--gzip", "--chunked"]])
def test_encodings(tmp_path, poll, options):
    stored = world(300)
    with gateway.Gateway(tmp_path / "g", stored, options=options) as g:
        assert poll(g.url, ask_all(stored), page_size=100).evidence() == expected(stored)


def test_tls_is_verified(tmp_path, poll):
    stored = world(30)
    cert, key = gateway.certificate(tmp_path)
    with gateway.Gateway(tmp_path / "g", stored, tls=(cert, key)) as g:
        assert poll(g.url, ask_all(stored), cacert=cert).evidence() == expected(stored)
        polled = poll(g.url, ask_all(stored))
        assert polled.events == [] and "certificate" in polled.done["loja-1"]
        assert polled.counts["requests"] == 1  # it will not become a better one
        wrong = poll(g.url.replace("127.0.0.1", "localhost"), ask_all(stored), cacert=cert)
        assert wrong.events == [] and wrong.counts["requests"] == 1


def test_a_proxy_is_used_as_curl_reads_it(tmp_path, poll):
    stored = world(3)
    with gateway.Gateway(tmp_path / "g", stored) as g:
        env = environment(tmp_path, http_proxy=g.url, no_proxy="")
        polled = poll("http://evolution.invalid/x", ask_all(stored), env=env)
    assert polled.evidence() == expected(stored)


# ---- errors ----------------------------------------------------------------------

def test_a_wrong_key_ends_it_at_once_and_is_not_shown(tmp_path, poll):
    stored = world(100, ("a", "b"))
    with gateway.Gateway(tmp_path / "g", stored) as g:
        polled = poll(g.url, ask_all(stored), key="geheim-0123", connections=1, verbose=1)
    assert polled.events == []
    assert polled.done["a"] == ("instance \"a\": HTTP 401 from %s/chat/findMessages/a: Unauthorized"
                                % g.url)
    assert g.log["requests"] == 2
    assert "geheim" not in polled.said + str(polled.done)


def test_a_server_that_repeats_the_key_does_not_bring_it_into_a_message(tmp_path, poll):
    faults = [{"fault": "status", "status": 403,
               "body": {"message": "key %s is not welcome" % gateway.KEY}}]
    with gateway.Gateway(tmp_path / "g", world(3), faults=faults) as g:
        polled = poll(g.url, ask_all(world(3)))
    assert "is not welcome" in polled.done["loja-1"]
    assert gateway.KEY not in polled.done["loja-1"]


SPELLED = {"as it is": lambda key: key,
           "percent-encoded": lambda key: "".join("%%%02x" % ord(c) for c in key),
           "as JSON": lambda key: "".join("\\u%04X" % ord(c) for c in key)}


@pytest.mark.parametrize("how", SPELLED)
def test_no_part_of_the_key_is_shown_where_a_text_is_cut(tmp_path, poll, how):
    key = SPELLED[how](gateway.KEY)
    for before in (0, 150, 200 - len(key) // 2, 196, 199, 200, 400):
        faults = [{"fault": "status", "status": 403,
                   "body": {"message": "x" * before + key + " is not welcome" + "y" * 300}}]
        with gateway.Gateway(tmp_path / "g", world(3), faults=faults) as g:
            polled = poll(g.url, ask_all(world(3)))
        told = polled.done["loja-1"].partition(": HTTP 403 from ")[2].partition(": ")[2]
        assert set(told) <= set("x*is not welcomey."), (before, told)
        assert told.endswith("...") and len(told) == 203


@pytest.mark.parametrize("count", [3, 30])
def test_an_instance_that_does_not_exist_is_named_and_the_others_go_on(tmp_path, poll, count):
    stored = world(count, ("a", "b"))
    with gateway.Gateway(tmp_path / "g", [m for m in stored if m.instance == "a"]) as g:
        polled = poll(g.url, ask_all(stored), connections=1)
    assert polled.evidence() == expected([m for m in stored if m.instance == "a"])
    assert polled.done["a"] == ""
    assert polled.done["b"].startswith("instance \"b\": HTTP 404 from ")
    assert polled.done["b"].endswith(": The \"b\" instance does not exist")
    assert len([e for e in g.log["list"] if e["instance"] == "b"]) == 1


def test_a_refused_body_is_not_sent_again(tmp_path, poll):
    faults = [{"fault": "status", "status": 400, "instance": "a"}]
    stored = world(5, ("a", "b"))
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), connections=1)
    assert "HTTP 400" in polled.done["a"] and polled.done["b"] == ""
    assert len([e for e in g.log["list"] if e["instance"] == "a"]) == 1


def test_a_redirect_is_refused(tmp_path, poll):
    with gateway.Gateway(tmp_path / "other", world(3)) as other:
        faults = [{"fault": "redirect", "status": status, "instance": str(status),
                   "location": "http://me:geheim@127.0.0.1:%d/there?apikey=geheim" % other.port}
                  for status in (301, 307, 308)]
        stored = world(3, ("301", "307", "308"))
        with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
            polled = poll(g.url, ask_all(stored), connections=1)
    assert other.log["requests"] == 0 and g.log["requests"] == 3
    for name, reason in polled.done.items():
        assert reason == ("instance \"%s\": HTTP %s from %s/chat/findStatusMessage/%s to "
                          "http://127.0.0.1:%d/there: redirects are not followed"
                          % (name, name, g.url, name, other.port))


def test_an_instance_that_stays_broken_is_given_up_in_time(tmp_path, poll):
    faults = [{"fault": "5xx", "instance": "a"}]
    stored = world(30, ("a", "b"))
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        since = time.monotonic()
        polled = poll(g.url, ask_all(stored), retry_time=2)
        took = time.monotonic() - since
    assert polled.done == {"b": "", "a": "instance \"a\": gave up after 2 s: HTTP 503 from "
                                         "%s/chat/findMessages/a" % g.url}
    assert polled.evidence() == expected([m for m in stored if m.instance == "b"])
    assert 1.9 < took < 4
    assert 4 <= polled.counts["failed"] <= 12


GARBLED = ["no HTTP at all\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n[]",
           "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
           "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n[{}]",
           "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n[]"]


@pytest.mark.parametrize("text", GARBLED, ids=range(len(GARBLED)))
def test_an_answer_that_is_no_http_is_tried_again(tmp_path, poll, text):
    stored = world(3)
    faults = [{"fault": "raw", "text": text, "times": 1}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored))
    assert polled.done == {"loja-1": ""} and polled.evidence() == expected(stored)
    assert polled.counts["failed"] == 3
    with gateway.Gateway(tmp_path / "g", stored, faults=[{"fault": "raw", "text": text}]) as g:
        polled = poll(g.url, ask_all(stored), retry_time=0)
    assert polled.done["loja-1"].startswith("instance \"loja-1\": unreadable answer from ")


def test_what_was_learned_before_stays(tmp_path, poll):
    stored = world(100)
    faults = [{"fault": "5xx", "chance": 0.3}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", retry_time=0)
    assert "HTTP 503" in polled.done["loja-1"] and "gave up after" not in polled.done["loja-1"]
    assert polled.evidence() < expected(stored)


@pytest.mark.parametrize("fault", [{"retry_after": 2}, {"date": 3}])
def test_retry_after_is_obeyed(tmp_path, poll, fault):
    faults = [dict(fault, fault="429", times=1)]
    stored = world(1)
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), connections=1)
    assert polled.evidence() == expected(stored)
    assert [e["status"] for e in g.log["list"]] == [429, 200]
    assert 1.9 < g.log["list"][1]["at"] - g.log["list"][0]["at"] < 4.5


def test_more_patience_than_there_is_is_not_feigned(tmp_path, poll):
    with gateway.Gateway(tmp_path / "g", world(3), faults=[{"fault": "429", "retry_after": 3600}]) as g:
        since = time.monotonic()
        polled = poll(g.url, ask_all(world(3)), connections=1)
    assert time.monotonic() - since < 2
    assert polled.done["loja-1"].endswith(", which asks to wait 3600 s")
    assert g.log["requests"] == 1


@pytest.mark.parametrize("rule,said", [
    ({"retry_after": "9" * 20}, "for more than a year"), ({"date": 10 ** 8}, "for more than a year"),
    ({"date": 600}, " s")], ids=["20 digits", "a date in years", "a date in minutes"])
def test_a_wait_that_is_too_long_is_named(tmp_path, poll, rule, said):
    faults = [dict(rule, fault="429")]
    with gateway.Gateway(tmp_path / "g", world(3), faults=faults) as g:
        polled = poll(g.url, ask_all(world(3)), connections=1)
    assert ", which asks to wait " in polled.done["loja-1"]
    assert polled.done["loja-1"].endswith(said)
    assert g.log["requests"] == 1


@pytest.mark.parametrize("fault", ["stall", "trickle"])
def test_a_request_takes_no_longer_than_its_time_out(tmp_path, poll, fault):
    faults = [{"fault": fault, "times": 1, "chance": 0.3, "seconds": 0.1}]
    faults[0]["seconds"] = 3600 if fault == "stall" else 0.1
    stored = world(10)
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        since = time.monotonic()
        polled = poll(g.url, ask_all(stored), strategy="message", request_timeout=0.5)
        took = time.monotonic() - since
    assert polled.evidence() == expected(stored)
    assert polled.counts["failed"] == g.log["faults"][fault] > 0
    assert took < 5


@pytest.mark.parametrize("more, options", [({}, []), ({"compressed": True}, []),
                                           ({}, ["--chunked"])])
def test_a_huge_answer_fails_and_costs_no_memory(tmp_path, more, options):
    faults = [dict({"fault": "huge"}, **more)]
    with gateway.Gateway(tmp_path / "g", world(1), faults=faults, options=options) as g:
        measure, prefix = tool.measured(PROBE, tmp_path / "measured")
        done = tool.run(measure, prefix + ["url=" + g.url, "retry-time=0"], tmp_path,
                        env=environment(tmp_path), stdin=asking(ask_all(world(1))))
    assert "/findStatusMessage/loja-1 is larger than 67108864 bytes" in done.out.decode()
    # sanitizers have memory of their own
    assert os.environ.get("SANITIZE") or tool.peak(tmp_path / "measured") < 160 * 1024 * 1024


def test_the_ceiling_is_of_the_decompressed_answer(tmp_path, poll):
    stored = world(500)
    with gateway.Gateway(tmp_path / "g", stored, options=["--gzip"]) as g:
        polled = poll(g.url, ask_all(stored), answer_max=10000, retry_time=0)
        assert polled.events == [] and "is larger than 10000 bytes" in polled.done["loja-1"]


def test_an_interrupt_ends_it_within_a_moment(tmp_path):
    for faults in ([{"fault": "stall"}], [{"fault": "429", "retry_after": 60}]):
        with gateway.Gateway(tmp_path / "g", world(100), faults=faults) as g:
            child = tool.start(PROBE, ["url=" + g.url, "retry-time=600"], tmp_path,
                               env=environment(tmp_path), stdin=subprocess.PIPE)
            child.stdin.write(asking(ask_all(world(100))))
            child.stdin.close()
            child.stdin = None
            time.sleep(1)
            since = time.monotonic()
            child.send_signal(signal.SIGINT)
            done = tool.finish(child)
            assert time.monotonic() - since < 0.5
            assert b"failed\t4\tinterrupted" in done.out


def test_time_spent_by_the_caller_is_nobody_elses_fault(tmp_path, poll):
    """While a first instance is written to the database, nobody reads what others are sent."""
    stored = world(1, ("a",)) + world(16, ("b",))
    faults = [{"fault": "5xx", "instance": "b", "times": 2, "chance": 0.5},
              {"fault": "slow", "instance": "b", "seconds": 0.5, "times": 1}]
    for retry_time, rules in ((1, faults), (0, faults[1:])):
        with gateway.Gateway(tmp_path / "g", stored, faults=rules) as g:
            polled = poll(g.url, ask_all(stored), strategy="message", done_takes=3,
                          request_timeout=1, retry_time=retry_time)
        assert polled.done == {"a": "", "b": ""}
        assert polled.evidence() == expected(stored)


# ---- pages that move, filters that do nothing ---------------------------------------

@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_rows_that_move_while_pages_are_read_are_not_missed(tmp_path, poll, every):
    stored = world(300)
    faults = [{"fault": "moving", "every": every, "endpoint": "findMessages"}]
    for connections in (1, 8):
        with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
            polled = poll(g.url, ask_all(stored)[::2] + [("loja-1", "NOWHERE", START)],
                          strategy="window", page_size=10, connections=connections)
        assert polled.evidence() == expected(stored[::2])
        assert polled.done == {"loja-1": ""}


def test_pages_are_read_again_only_where_the_total_changed(tmp_path, poll):
    stored = world(400)
    faults = [{"fault": "moving", "every": 20, "times": 1}]
    asked = ask_all(stored) + [("loja-1", "NOWHERE", START)]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, asked, strategy="window", page_size=10, connections=1)
    assert polled.evidence() == expected(stored)
    assert g.log["requests"] == 41 + 19
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:  # all found: what for?
        poll(g.url, ask_all(stored), strategy="window", page_size=10, connections=1)
    assert g.log["requests"] == 41


@pytest.mark.parametrize("connections,every,size", [
    (1, 2, 3), (1, 1, 10), (1, 2, 10), (1, 3, 25), (8, 2, 10)])
def test_rows_that_go_away_pull_others_to_earlier_pages(tmp_path, poll, connections, every, size):
    """As many go as there are requests, to the end: only a sweep in order meets them all."""
    stored = world(200)
    newest = stored[-1].timestamp
    stored += [gateway.Message("loja-1", "ARRIVED%d" % i, newest + 60 + i) for i in range(1000)]
    asked = ask_all(stored[:200]) + [("loja-1", "NOWHERE", START)]
    faults = [{"fault": "shrinking", "every": every}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, asked, strategy="window", page_size=size, connections=connections)
    assert polled.evidence() == expected(stored[:200])


def test_a_page_that_was_another_is_noticed(tmp_path, poll):
    stored = world(300)
    faults = [{"fault": "repeat_page", "times": 1, "chance": 0.3}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), strategy="window", page_size=10)
    assert g.log["faults"]["repeat_page"] > 0
    assert polled.evidence() == expected(stored)


@pytest.mark.parametrize("strategy", ["auto", "window", "message"])
@pytest.mark.parametrize("size", [7, 500])
def test_filters_are_applied_here_too(tmp_path, poll, strategy, size):
    stored = world(120)
    asked = ask_all(stored)[20:60]
    with gateway.Gateway(tmp_path / "g", stored, faults=[{"fault": "ignore_filters"}]) as g:
        polled = poll(g.url, asked, strategy=strategy, page_size=size)
    assert polled.evidence() == expected(stored[20:60])
    if strategy == "message":
        assert g.log["requests"] <= 3 * 40 + 8 * 60


def test_a_filter_that_is_ignored_now_and_then_hides_nothing(tmp_path, poll):
    stored = world(60)
    faults = [{"fault": "ignore_filters", "times": 2, "chance": 0.3}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", page_size=5)
    assert g.log["faults"]["ignore_filters"] > 5
    assert polled.evidence() == expected(stored)


# ---- servers that never come to an end ------------------------------------------------

@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("count", [1, 30])
def test_statuses_without_an_end_are_read_for_a_while_only(tmp_path, poll, own, count):
    stored = world(count)
    faults = [{"fault": "endless", "own": own}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", page_size=5)
    assert g.log["requests"] <= 8 * 100 + 3 * count
    assert polled.ends == {"loja-1": "incomplete"}
    assert "have no end; %d of %d message(s) not found" % (0 if own else count, count) in \
        polled.done["loja-1"]
    assert {e[1] for e in polled.events} == ({m.id for m in stored} if own else set())


def test_what_other_messages_are_told_is_not_lost_to_one_without_an_end(tmp_path, poll):
    stored = world(40)
    faults = [{"fault": "endless", "times": 1, "chance": 0.2}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", page_size=5)
    assert g.log["faults"]["endless"] > 3
    assert polled.ends == {"loja-1": "asked"} and polled.evidence() == expected(stored)
    first = [dict(faults[0], chance=1, times=1 << 30, instance="loja-2")]
    stored = world(40, ("loja-1", "loja-2"))
    with gateway.Gateway(tmp_path / "g", stored, faults=first) as g:
        polled = poll(g.url, ask_all(stored), strategy="message", page_size=5)
    assert polled.ends == {"loja-1": "asked", "loja-2": "incomplete"}
    assert polled.evidence() == expected([m for m in stored if m.instance == "loja-1"])


@pytest.mark.parametrize("rule,most,said", [
    ({}, 9 * 36 + 10, "ever more pages"),
    ({"pages": 1 << 20}, 1008, "1000 pages in a row")], ids=["growing", "too many"])
def test_a_window_without_an_end_is_read_for_a_while_only(tmp_path, poll, rule, most, said):
    stored = world(30)
    faults = [dict(rule, fault="endless", endpoint="findMessages")]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored), strategy="window", page_size=5)
        assert polled.ends == {"loja-1": "incomplete"} and polled.events == []
        assert said in polled.done["loja-1"]
        assert polled.done["loja-1"].endswith("30 of 30 message(s) not found")
        assert polled.counts["requests"] <= most
        polled = poll(g.url, ask_all(stored), strategy="auto", page_size=5)
        assert polled.ends == {"loja-1": "asked"} and polled.evidence() == expected(stored)


@pytest.mark.parametrize("asked_too", [[], ["NOWHERE"]])
def test_a_total_that_is_too_large_costs_a_second_look_at_most(tmp_path, poll, asked_too):
    stored = world(48)
    faults = [{"fault": "miscount", "add": 2}]
    with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
        polled = poll(g.url, ask_all(stored) + [("loja-1", id, START) for id in asked_too],
                      strategy="window", page_size=10)
    assert polled.evidence() == expected(stored)
    assert g.log["requests"] == (10 if asked_too else 5)
    assert polled.ends == {"loja-1": "incomplete" if asked_too else "asked"}
    if asked_too:
        assert "it counted more records than it showed; 1 of 49" in polled.done["loja-1"]


def test_a_record_missing_from_pages_of_one_total_is_looked_for_on_all(tmp_path, poll):
    """A page that is shown twice hides another, whichever it is."""
    stored = world(50)
    for page in range(2, 6):
        faults = [{"fault": "repeat_page", "times": 1, "page": page, "endpoint": "findMessages"}]
        with gateway.Gateway(tmp_path / "g", stored, faults=faults) as g:
            polled = poll(g.url, ask_all(stored), strategy="window", page_size=10, connections=1)
        assert polled.evidence() == expected(stored), page
        assert g.log["requests"] <= 10 and polled.ends == {"loja-1": "asked"}


# ---- any faults, the same evidence ----------------------------------------------------

TRANSIENT = [
    {"fault": "429"}, {"fault": "429", "retry_after": 1}, {"fault": "5xx", "status": 500},
    {"fault": "5xx", "status": 502}, {"fault": "5xx", "status": 503}, {"fault": "status", "status": 408},
    {"fault": "stall"}, {"fault": "reset"}, {"fault": "close"}, {"fault": "cut"},
    {"fault": "broken_json"}, {"fault": "html"}, {"fault": "misshapen"}, {"fault": "ignore_filters"},
    {"fault": "huge", "bytes": 3000000}, {"fault": "repeat_page", "endpoint": "findMessages"},
    {"fault": "moving", "every": 5}, {"fault": "moving", "every": 1, "times": 30},
]


SLOW = ("stall", "trickle")


@pytest.mark.parametrize("seed", range(int(os.environ.get("FAULT_SEEDS", "12"))))
def test_any_plan_of_faults_teaches_the_same(tmp_path, poll, seed):
    rng = random.Random(seed)
    version = rng.choice(["1.8", "2.3", "2.3", "2.0-nofind"])
    faults = [dict({"chance": rng.choice([0.05, 0.2]), "times": 2}, **rule)
              for rule in rng.sample(TRANSIENT, rng.randint(1, 7))]
    for rule in faults:
        if rule["fault"] in SLOW or "retry_after" in rule:
            rule["chance"] = 0.02
    stored = world(rng.choice([15, 60, 150]), ("a", "b"), seed)
    size = rng.choice([10, 500]) if version == "2.3" else 500
    strategy = rng.choice(["auto", "message"] + ["window"] * (version == "2.3"))
    options = rng.choice([[], ["--gzip"], ["--chunked"]])
    with gateway.Gateway(tmp_path / "g", stored, faults=faults, version=version, options=options,
                         seed=seed) as g:
        polled = poll(g.url, ask_all(stored), strategy=strategy, page_size=size, retry_time=60,
                      request_timeout=1, connections=rng.choice([1, 4, 8]), answer_max=1 << 20)
    assert polled.done == {"a": "", "b": ""}, (faults, polled.done)
    assert polled.evidence() == expected(stored, exact=version == "1.8"), faults
