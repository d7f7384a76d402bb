"""reconcile poll: whom it asks about what, and what it makes of the answers."""

import json
import random
import time

import pytest

import gateway
import tables
import tool
import world as worlds
from oracle import database, decide, fold, times
from runs import Runs, assert_rows, at_once, shown, stored_counters

NOW = 1780401600  # 2026-06-02 12:00 UTC
MINUTE, HOUR, DAY = 60, 3600, 86400
SECOND = 1000000
MEANING = {"SERVER_ACK": "sent", "DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read",
           "ERROR": "failed"}
OWN = object()


def text(seconds):
    return times.show(seconds * SECOND)


# ---- a database, and what Evolution knows of it ------------------------------------

class Shop:
    """A database in the making, and the messages Evolution has stored."""

    def __init__(self, variant="deployed", seed=1):
        self.variant = variant
        self.maker = worlds.Maker("poll %d" % seed, variant)
        self.tables = database.Tables([], [], [])
        self.tenants, self.logs, self.assigned, self.stored = [], [], [], []
        self.tenant = self.new_tenant()

    def new_tenant(self):
        self.tenants.append(self.maker.new_id())
        return self.tenants[-1]

    def instance(self, name, tenant=OWN, url="", integration="evolution", active=True):
        self.tables.instances.append({
            "id": self.maker.new_id(), "tenant_id": self.tenant if tenant is OWN else tenant,
            "instance_name": name, "evolution_instance_name": url,
            "integration_type": integration, "is_active": active})
        return self.tables.instances[-1]["id"]

    def campaign(self, name="Natal", tenant=OWN, instances=()):
        made = dict.fromkeys(("sent", "delivered", "read", "failed", "total"), 0)
        made.update(id=self.maker.new_id(), name=name,
                    tenant_id=self.tenant if tenant is OWN else tenant)
        self.tables.campaigns.append(made)
        self.assigned += [(made["id"], i) for i in instances]
        return made["id"]

    def row(self, campaign, message_id, status="sent", sent=NOW - DAY, instance=None, log=(),
            created=NOW - 30 * DAY, **at):
        """A row; times in seconds. log: (instance or None, second) of message_sent log rows."""
        made = dict.fromkeys(decide.TIMES + ("error_message",))
        made.update({k: v * SECOND for k, v in at.items()})
        made.update(id=self.maker.new_id(), campaign_id=campaign, status=status,
                    whatsapp_message_id=message_id, instance_used_id=instance,
                    created_at=text(created),
                    sent_at=None if sent is None else sent * SECOND)
        self.tables.rows.append(made)
        self.logs += [(made["id"], campaign, i, at) for i, at in log]
        return made["id"]

    def knows(self, name, message_id, *statuses, sent=NOW - DAY, at=None):
        """Evolution's instance has the message, with these updates a minute apart."""
        at = sent + MINUTE if at is None else at
        self.stored.append(gateway.Message(name, message_id, sent, [
            (s, (at + MINUTE * n) * 1000) for n, s in enumerate(statuses)]))

    def sell(self, campaign, instance, name, count, prefix="3EB0", sent=NOW - DAY, every=10):
        """`count` sent messages in a row, all of them read by now."""
        for n in range(count):
            self.row(campaign, "%s%06d" % (prefix, n), sent=sent + n * every, instance=instance)
            self.knows(name, "%s%06d" % (prefix, n), "SERVER_ACK", "DELIVERY_ACK", "READ",
                       sent=sent + n * every)

    def more_sql(self, naming):
        sql = ""
        for n, (row, campaign, instance, at) in enumerate(self.logs):
            id = self.maker.new_id()
            sql += ("INSERT INTO %s (id, log_type, severity, message, created_at, campaign_id,"
                    " campaign_contact_id, instance_id) VALUES ('%s', 'message_sent', 'info', 'x',"
                    " '%s', '%s', '%s', %s);\n" % (naming.log, id, text(at), campaign, row,
                                                   "'%s'" % instance if instance else "NULL"))
        for campaign, instance in self.assigned:
            sql += ("INSERT INTO campaigns_campaign_instances (campaign_id, whatsappinstance_id)"
                    " VALUES ('%s', '%s');\n" % (campaign, instance))
        return sql

    def create(self, server):
        db = server.fresh(self.variant)
        db.sql(tables.write(db.naming, self.tenants, self.tables) + self.more_sql(db.naming))
        return db


def evidence_of(shop, instance_name, message_id, exact):
    """What the stored messages prove about one message; None where nothing."""
    found = fold.Evidence()
    for m in shop.stored:
        if m.instance == instance_name and m.id == message_id:
            for status, at in m.updates:
                moment = at * 1000 if exact else NOW * SECOND
                found.see(MEANING[status], fold.Sighting(moment, not exact, "api", 1, None))
    return found if found.sightings else None


def settled(shop, exact, since=NOW - 7 * DAY, asked=("sending", "sent", "delivered")):
    """row id -> row, where every row names its instance: what a poll must leave behind."""
    url = {i["id"]: i["evolution_instance_name"] or i["instance_name"]
           for i in shop.tables.instances}
    finals, touched = {}, set()
    for row in shop.tables.rows:
        found = None
        if row["status"] in asked and row["whatsapp_message_id"] and row["instance_used_id"] and \
                (row["sent_at"] if row["sent_at"] is not None else 0) >= since * SECOND:
            found = evidence_of(shop, url[row["instance_used_id"]], row["whatsapp_message_id"],
                                exact)
        if found:
            touched.add(row["campaign_id"])
        finals[row["id"]] = (row, found)
    return {id: decide.decide(row, found, decide.Policy())[0]
            if row["campaign_id"] in touched else row for id, (row, found) in finals.items()}


def busy_shop(variant="deployed", seed=1, rows=120):
    """Two tenants, three instances, three campaigns; rows in all states, some told wrongly."""
    shop = Shop(variant, seed)
    rng = random.Random("shop %d" % seed)
    other = shop.new_tenant()
    senders = [(shop.instance("loja-1"), "loja-1", shop.tenant),
               (shop.instance("Loja 2", url="evo/2 %"), "evo/2 %", shop.tenant),
               (shop.instance("filial", other), "filial", other)]
    campaigns = {shop.tenant: [shop.campaign("Natal"), shop.campaign("Ano Novo")],
                 other: [shop.campaign("Natal", other)]}
    for n in range(rows):
        instance, name, tenant = rng.choice(senders)
        sent = NOW - DAY - n * 37
        status = rng.choice(["sent"] * 6 + ["delivered", "sending", "read", "failed", "pending"])
        at = {}
        if status in ("delivered", "read"):
            at["delivered_at"] = sent + 30
        if status == "read":
            at["read_at"] = sent + 60
        if status == "failed":
            at["failed_at"] = sent + 5
        shop.row(rng.choice(campaigns[tenant]), "3EB0%06d" % n, status, sent, instance, **at)
        steps = ["SERVER_ACK", "DELIVERY_ACK", rng.choice(["READ", "PLAYED"])][:rng.randrange(4)]
        if rng.random() < 0.1:
            steps = ["ERROR"]
        shop.knows(name, "3EB0%06d" % n, *steps, sent=sent)
        shop.stored[-1].updates = rng.sample(shop.stored[-1].updates, len(steps))
        if n % 3 == 0:  # what others wrote on the same phone
            shop.knows(name, "OTHER%06d" % n, "READ", sent=sent)
    return shop


class Polls(Runs):
    """Runs of reconcile poll at one server."""

    command = "poll"

    def __init__(self, directory):
        super().__init__(directory)
        self.url = None
        self.gateways = []

    def environment(self, key=gateway.KEY, now=NOW, **extra):
        env = {k: v for k, v in tool.environment(self.directory).items()
               if not k.lower().endswith("_proxy")}
        env.update(no_proxy="127.0.0.1", **extra)
        if now:
            env["RECONCILE_NOW"] = text(now)
        if key:
            env["EVOLUTION_API_KEY"] = key
        if self.url:
            env["EVOLUTION_API_URL"] = self.url
        return env

    def start(self, db, *arguments, user="postgres", env=None, **popen):
        return tool.start("reconcile", [self.command, "-d", db.conninfo(user)] + at_once(arguments),
                          self.directory, env or self.environment(), **popen)

    def peak(self, db, *arguments):
        """Peak memory in bytes of a run that ends well."""
        line = self.directory / "measured"
        measure, prefix = tool.measured("reconcile", line)
        done = tool.run(measure, prefix + [self.command, "-d", db.conninfo()] + at_once(arguments),
                        self.directory, env=self.environment())
        assert done.status == 0, done
        return tool.peak(line)

    def serve(self, shop, **how):
        """Starts a server that knows the shop's messages; later runs ask it."""
        directory = self.directory / ("gateway-%d" % len(self.gateways))
        names = how.pop("instances", None)
        if names is None:
            names = sorted({i["evolution_instance_name"] or i["instance_name"]
                            for i in shop.tables.instances})
        self.gateways.append(gateway.Gateway(directory, shop.stored, names, **how).__enter__())
        self.url = self.gateways[-1].url
        return self.gateways[-1]


@pytest.fixture
def polls(tmp_path):
    made = Polls(tmp_path)
    yield made
    for g in made.gateways:
        g.stop()


def asked(g):
    """The instances that were asked; the server ends."""
    g.stop()
    return {entry["instance"] for entry in g.log["list"]}


def statuses(db):
    return {r["id"]: r["status"] for r in tables.read(db).rows}


def consistent(db):
    """The stored counters are those of the rows, whichever campaign."""
    found = tables.read(db)
    return {c["id"]: decide.counters([r for r in found.rows if r["campaign_id"] == c["id"]])
            for c in found.campaigns}


def stripped(report):
    """A report without what a dry run and the run it announces may differ in."""
    return dict(report, run=report["run"]["tool"])


# ---- every strategy, every server -----------------------------------------------------

STRATEGIES = [("1.8", "auto", "deployed"), ("1.8", "message", "design-bigint"),
              ("2.3", "auto", "design"), ("2.3", "window", "bigint"),
              ("2.3", "message", "deployed"), ("2.0-nofind", "auto", "deployed"),
              ("2.0-nofind", "message", "design")]


@pytest.mark.parametrize("version,strategy,variant", STRATEGIES)
def test_rows_settle_as_the_server_says(server, polls, version, strategy, variant):
    shop = busy_shop(variant)
    db = shop.create(server)
    polls.serve(shop, version=version)
    arguments = ["--strategy", strategy, "--details", "--page-size", "20"]
    expected = settled(shop, version == "1.8")
    before = db.dump()
    done, dry = polls.report(db, *arguments)
    assert done.status == 1, done
    _, read = polls.report(db, *arguments, user="reader")
    assert db.dump() == before, "a dry run wrote"
    assert stripped(read) == stripped(dry), "a role that may only read sees something else"
    done, applied = polls.report(db, "--apply", *arguments)
    assert done.status == 0, done
    assert_rows(db, expected, "applied")
    assert stored_counters(db) == {
        id: dict(count, total=0) for id, count in consistent(db).items()}
    changed = sum(shown(expected[r["id"]]) != shown(r) for r in shop.tables.rows)
    assert applied["messages"]["updated"] == changed > 40
    for member in ("messages", "causes", "campaigns", "corrections", "gaps", "warnings"):
        assert dry[member] == applied[member], member
    versions = db.versions()
    done, again = polls.report(db, "--apply", *arguments)
    assert done.status == 0, done
    assert again["messages"]["updated"] == 0 and again["campaigns"] == []
    assert db.versions() == versions


def test_window_gives_up_a_server_that_knows_no_pages(server, polls):
    shop = busy_shop(rows=30)
    db = shop.create(server)
    before = db.versions()
    polls.serve(shop, version="1.8")
    done = polls.run(db, "--apply", "--strategy", "window")
    assert done.status == 4, done
    assert "--strategy message" in done.said
    assert db.versions() == before


def test_a_window_takes_a_request_a_page(server, polls):
    shop = Shop()
    loja = shop.instance("loja")
    shop.sell(shop.campaign(), loja, "loja", 60)
    for n in range(440):  # between them, and none of ours
        shop.knows("loja", "CHAT%d" % n, "READ", sent=NOW - DAY + n)
    db = shop.create(server)
    g = polls.serve(shop)
    done, report = polls.report(db, "--strategy", "window", "--page-size", "25")
    g.stop()
    assert report["messages"]["updated"] == 60
    assert g.log["requests"] == report["input"]["requests"] <= 500 // 25 + 2
    assert report["input"]["requests_failed"] == 0


def test_the_rate_and_the_connections_are_kept(server, polls):
    shop = Shop()
    campaign = shop.campaign()
    for name in ("a", "b", "c"):
        shop.sell(campaign, shop.instance(name), name, 12, prefix=name)
    db = shop.create(server)
    g = polls.serve(shop)
    arguments = ["--strategy", "message", "--connections", "2"]
    since = time.monotonic()
    done, report = polls.report(db, *arguments, "--rate", "30")
    took = time.monotonic() - since
    g.stop()
    assert report["messages"]["updated"] == 36 and g.log["requests"] == 36
    assert took > 35 / 30 - 0.1
    assert g.log["most_at_once"] <= 2 and g.log["most_connections"] <= 2


# ---- which instance is asked ------------------------------------------------------------

@pytest.fixture
def town(server, polls):
    """settle(shop): the poll's report, the instances asked, the row statuses after it."""
    def settle(shop, *arguments, status=0, **how):
        db = shop.create(server)
        g = polls.serve(shop, **how)
        done, report = polls.report(db, "--apply", *arguments)
        assert done.status == status, done
        return report, asked(g), statuses(db)
    return settle


def test_the_instance_used_is_asked_and_no_other(town):
    shop = Shop()
    used, logged, assigned = (shop.instance(n) for n in ("used", "logged", "assigned"))
    row = shop.row(shop.campaign(instances=[assigned]), "M", instance=used, log=[(logged, NOW - DAY)])
    for name in ("logged", "assigned"):
        shop.knows(name, "M", "READ")
    shop.knows("used", "M", "DELIVERY_ACK")
    _, names, after = town(shop)
    assert names == {"used"} and after[row] == "delivered"


def test_else_the_instance_of_the_latest_log_row_that_has_one(town):
    shop = Shop()
    first, second, assigned = (shop.instance(n) for n in ("first", "second", "assigned"))
    row = shop.row(shop.campaign(instances=[assigned]), "M", log=[
        (second, NOW - DAY + 20), (first, NOW - DAY), (None, NOW - DAY + 40)])
    shop.knows("second", "M", "READ")
    _, names, after = town(shop)
    assert names == {"second"} and after[row] == "read"


def test_the_log_row_counts_for_a_row_without_sent_at_too(town):
    shop = Shop()
    logged, assigned = shop.instance("logged"), shop.instance("assigned")
    row = shop.row(shop.campaign(instances=[assigned]), "M", "sending", sent=None,
                   created=NOW - DAY, log=[(logged, NOW - DAY)])
    shop.knows("logged", "M", "READ")
    _, names, after = town(shop)
    assert names == {"logged"} and after[row] == "read"


def test_else_the_instances_of_the_campaign(town):
    shop = Shop()
    a, b = shop.instance("a"), shop.instance("b", active=False)
    shop.instance("c")
    row = shop.row(shop.campaign(instances=[a, b]), "M", log=[(None, NOW - DAY)])
    shop.knows("b", "M", "READ")
    _, names, after = town(shop)
    assert names == {"a", "b"} and after[row] == "read"


def test_else_the_active_ones_of_the_tenant_and_the_global_ones(town):
    shop = Shop()
    other = shop.new_tenant()
    shop.instance("own")
    shop.instance("own retired", active=False)
    shop.instance("global", None)
    shop.instance("global retired", None, active=False)
    shop.instance("foreign", other)
    row = shop.row(shop.campaign(), "M")
    for name in ("global", "foreign", "own retired"):
        shop.knows(name, "M", "ERROR" if name != "global" else "READ")
    _, names, after = town(shop)
    assert names == {"own", "global"} and after[row] == "read"


@pytest.mark.parametrize("source", ["used", "log", "campaign"])
def test_an_instance_of_another_kind_is_left_out_and_no_other_asked(town, source):
    shop = Shop()
    meta, loja = shop.instance("meta", integration="meta_cloud"), shop.instance("loja")
    row = {"used": lambda: shop.row(shop.campaign(instances=[loja]), "M", instance=meta,
                                    log=[(loja, NOW - DAY)]),
           "log": lambda: shop.row(shop.campaign(instances=[loja]), "M", log=[(meta, NOW - DAY)]),
           "campaign": lambda: shop.row(shop.campaign(instances=[meta]), "M")}[source]()
    shop.knows("loja", "M", "READ")
    shop.knows("meta", "M", "READ")
    report, names, after = town(shop)
    assert names == set() and after[row] == "sent"
    assert report["messages"]["unsettled_not_asked"] == 1
    assert any("no instance" in w for w in report["warnings"])


def test_the_address_names_the_instance_as_evolution_does(town):
    shop = Shop()
    plain, named = shop.instance("Loja São João"), shop.instance("tela", url="a/b?c d#%41")
    campaign = shop.campaign()
    rows = [shop.row(campaign, "M1", instance=plain), shop.row(campaign, "M2", instance=named)]
    shop.knows("Loja São João", "M1", "READ")
    shop.knows("a/b?c d#%41", "M2", "READ")
    report, names, after = town(shop, "--details")
    assert names == {"Loja São João", "a/b?c d#%41"}
    assert [after[r] for r in rows] == ["read", "read"]
    assert "api:tela" in json.dumps(report["corrections"], ensure_ascii=False)


ODD_NAMES = ["a/../b", "../loja", "...", "%2e%2e", "a//b", "/", "?x=1", "#x", "a;b=c", " loja ",
             "\u00e9\U0001f4e3", "a\\b", "a&b=+", "-", "."*40]


def test_any_other_name_reaches_the_server_as_one_segment(town):
    shop = Shop()
    campaign = shop.campaign()
    for n, name in enumerate(ODD_NAMES):
        shop.row(campaign, "M%d" % n, instance=shop.instance(name))
        shop.knows(name, "M%d" % n, "READ")
    _, names, after = town(shop)
    assert names == set(ODD_NAMES) and set(after.values()) == {"read"}


NO_NAMES = [("", ""), ("  ", ""), ("", " \t"), (".", ""), ("loja", ".."), ("..", "  ")]


@pytest.mark.parametrize("name,url", NO_NAMES)
def test_an_instance_that_cannot_be_named_is_left_out(town, name, url):
    shop = Shop()
    campaign = shop.campaign()
    kept = shop.row(campaign, "M1", instance=shop.instance(name, url=url))
    other = shop.row(campaign, "M2", instance=shop.instance("other"))
    shop.knows("other", "M1", "READ")
    shop.knows("other", "M2", "READ")
    report, names, after = town(shop, status=3, instances=["other"])
    assert names == {"other"} and (after[kept], after[other]) == ("sent", "read")
    assert [w for w in report["warnings"] if "left out" in w and "asked for" in w]
    assert report["input"]["requests_failed"] == 0


def test_a_blank_name_at_evolution_is_none(town):
    shop = Shop()
    row = shop.row(shop.campaign(), "M", instance=shop.instance("loja", url="  "))
    shop.knows("loja", "M", "READ")
    _, names, after = town(shop, instances=["loja"])
    assert names == {"loja"} and after[row] == "read"


# ---- what it makes of it ------------------------------------------------------------------

def test_only_rows_asked_about_use_what_was_learned(town):
    shop = Shop()
    loja = shop.instance("loja")
    campaign = shop.campaign()
    kept = [shop.row(campaign, "OLD", sent=NOW - 8 * DAY, instance=loja),
            shop.row(campaign, "READ", "read", instance=loja, delivered_at=NOW - DAY,
                     read_at=NOW - DAY),
            shop.row(campaign, "FAILED", "failed", instance=loja, failed_at=NOW - DAY),
            shop.row(campaign, "PENDING", "pending", instance=loja),
            shop.row(campaign, None, instance=loja), shop.row(campaign, "", instance=loja)]
    fresh = shop.row(campaign, "NEW", sent=NOW - 7 * DAY, instance=loja)
    for m in ("OLD", "READ", "FAILED", "PENDING", "NEW"):
        shop.knows("loja", m, "READ" if m != "READ" else "ERROR", sent=NOW - 7 * DAY)
    report, _, after = town(shop, "--strategy", "window")
    assert [after[r] for r in kept] == ["sent", "read", "failed", "pending", "sent", "sent"]
    assert after[fresh] == "read"
    assert report["messages"]["unsettled_not_asked"] == 1
    assert report["messages"]["updated"] == report["messages"]["matched"] == 1


def test_the_span_asked_about_may_be_named(town):
    shop = Shop()
    loja = shop.instance("loja")
    campaign = shop.campaign()
    at = {"A": NOW - 20 * DAY - 1, "B": NOW - 20 * DAY, "C": NOW - 10 * DAY - 1,
          "D": NOW - 10 * DAY, "E": NOW - DAY}
    rows = {m: shop.row(campaign, m, sent=sent, instance=loja) for m, sent in at.items()}
    rows["F"] = shop.row(campaign, "F", "sending", sent=None, created=NOW - 15 * DAY, instance=loja)
    rows["G"] = shop.row(campaign, "G", "sending", sent=None, created=NOW - 25 * DAY, instance=loja)
    for m in rows:
        shop.knows("loja", m, "READ", sent=at.get(m, NOW - 15 * DAY))
    report, _, after = town(shop, "--sent-since", "20d", "--sent-until", text(NOW - 10 * DAY))
    assert {m for m in rows if after[rows[m]] == "read"} == {"B", "C", "F"}
    assert report["messages"]["unsettled_not_asked"] == 4


def test_the_same_id_never_moves_another_tenants_row(town):
    shop = Shop()
    other = shop.new_tenant()
    mine, theirs = shop.instance("mine"), shop.instance("theirs", other)
    rows = [shop.row(shop.campaign("Natal"), "M", instance=mine),
            shop.row(shop.campaign("Natal", other), "M", instance=theirs),
            shop.row(shop.campaign("Natal"), "M", sent=NOW - 9 * DAY)]
    shop.knows("mine", "M", "READ")
    shop.knows("theirs", "M", "SERVER_ACK")
    report, names, after = town(shop)
    assert names == {"mine", "theirs"}
    assert [after[r] for r in rows] == ["read", "sent", "sent"]
    assert report["messages"]["distinct"] == report["messages"]["used"] == 2


def test_evidence_that_two_rows_may_claim_moves_neither(town):
    """Of one tenant or of two that share a global instance: nobody knows whose it is."""
    shop = Shop()
    other = shop.new_tenant()
    shared = shop.instance("shared", None)
    rows = [shop.row(shop.campaign("A"), "M", instance=shared),
            shop.row(shop.campaign("B", other), "M", instance=shared),
            shop.row(shop.campaign("C"), "N", instance=shared)]
    shop.knows("shared", "M", "READ")
    shop.knows("shared", "N", "READ")
    report, _, after = town(shop, status=3)
    assert [after[r] for r in rows] == ["sent", "sent", "read"]
    m = report["messages"]
    assert (m["distinct"], m["used"], m["ambiguous"], m["updated"]) == (2, 1, 1, 1)


@pytest.mark.parametrize("after_answer", [[], ["--max-corrections", "100"]],
                         ids=["as it goes", "at the end"])
@pytest.mark.parametrize("status", ["sent", "sending"])
def test_a_row_sent_again_in_mid_poll_is_left_to_its_new_message(server, polls, tmp_path, status,
                                                                 after_answer):
    """Evolution speaks of the message that was asked about, not of the row."""
    shop = Shop()
    campaign, loja = shop.campaign(), shop.instance("loja")
    again, kept = (shop.row(campaign, m, status, instance=loja) for m in ("OLD", "KEPT"))
    shop.knows("loja", "OLD", "READ")
    shop.knows("loja", "KEPT", "READ")
    db = shop.create(server)
    go = tmp_path / "go"
    polls.serve(shop, faults=[{"fault": "hold", "file": str(go)}])
    child = polls.start(db, "--apply", "--format", "json", "-o", "report.json", *after_answer)
    until = time.monotonic() + 60
    while not (tmp_path / "go.held").exists():
        assert time.monotonic() < until and child.poll() is None
        time.sleep(0.02)
    db.sql("UPDATE campaigns_contact SET whatsapp_message_id = 'NEW', status = 'sent',"
           " sent_at = '%s' WHERE id = '%s'" % (text(NOW - HOUR), again))
    before = db.rows("SELECT * FROM campaigns_contact WHERE id = '%s'" % again)
    go.touch()
    done = tool.finish(child)
    assert done.status == 0, done
    assert statuses(db) == {again: "sent", kept: "read"}
    assert db.rows("SELECT * FROM campaigns_contact WHERE id = '%s'" % again) == before
    assert stored_counters(db)[campaign] == dict(consistent(db)[campaign], total=0)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["messages"]["matched"] == report["messages"]["updated"] == 1


def times_after(server, polls, version, *arguments, at=NOW - HOUR):
    shop = Shop()
    shop.row(shop.campaign(), "M", instance=shop.instance("loja"))
    shop.knows("loja", "M", "DELIVERY_ACK", "READ", at=at)
    db = shop.create(server)
    polls.serve(shop, version=version)
    done, report = polls.report(db, "--apply", "--details", *arguments)
    assert done.status == 0, done
    row = tables.read(db).rows[0]
    return row["delivered_at"], row["read_at"], report["corrections"]


def test_a_server_that_tells_times_is_taken_at_its_word(server, polls):
    delivered, read, _ = times_after(server, polls, "1.8")
    assert (delivered, read) == ((NOW - HOUR) * SECOND, (NOW - HOUR + MINUTE) * SECOND)


def test_a_time_that_nobody_tells_is_that_of_the_observation(server, polls):
    delivered, read, _ = times_after(server, polls, "2.3")
    assert (delivered, read) == (NOW * SECOND, NOW * SECOND)


def test_observed_times_can_be_left_out(server, polls):
    delivered, read, corrections = times_after(server, polls, "2.3", "--approximate-times", "null")
    assert (delivered, read) == (None, None)
    assert corrections[0]["after"]["status"] == "read"


def test_earliest_takes_exact_times_only(server, polls):
    """A receipt's own time replaces a late webhook's; the moment of asking never does."""
    for version, wanted in (("1.8", NOW - HOUR), ("2.3", NOW - MINUTE)):
        shop = Shop()
        shop.row(shop.campaign(), "M", "delivered", instance=shop.instance("loja"),
                 delivered_at=NOW - MINUTE)
        shop.knows("loja", "M", "DELIVERY_ACK", at=NOW - HOUR)
        db = shop.create(server)
        polls.serve(shop, version=version)
        done = polls.run(db, "--apply", "--timestamps", "earliest")
        assert done.status == 0, done
        assert tables.read(db).rows[0]["delivered_at"] == wanted * SECOND, version


@pytest.mark.parametrize("version", ["1.8", "2.3"])
def test_numbers_mean_what_the_dialect_says(server, polls, version):
    wanted = {"app": ["failed", "sent", "delivered", "read"],
              "baileys": ["failed", "sent", "sent", "delivered"]}
    for codes, meanings in wanted.items():
        shop = Shop()
        campaign, loja = shop.campaign(), shop.instance("loja")
        rows = [shop.row(campaign, "M%d" % n, instance=loja) for n in range(4)]
        for n in range(4):
            shop.knows("loja", "M%d" % n, n)
        db = shop.create(server)
        polls.serve(shop, version=version)
        done = polls.run(db, "--apply", "--status-codes", codes)
        assert done.status == 0, done
        assert [statuses(db)[r] for r in rows] == meanings, codes


def test_numbers_of_the_other_dialect_stop_the_writing_until_it_is_named(server, polls):
    shop = Shop()
    campaign, loja = shop.campaign(), shop.instance("loja")
    shop.row(campaign, "M", instance=loja)
    shop.row(campaign, "N", instance=loja)
    shop.knows("loja", "M", 4)
    shop.knows("loja", "N", 3)
    db = shop.create(server)
    polls.serve(shop)
    before = db.versions()
    done, report = polls.report(db)
    assert done.status == 1 and any("--status-codes" in w for w in report["warnings"]), done
    done = polls.run(db, "--apply")
    assert done.status == 4 and "--status-codes" in done.said, done
    assert db.versions() == before
    done = polls.run(db, "--apply", "--status-codes", "baileys")
    assert done.status == 0, done
    assert sorted(statuses(db).values()) == ["delivered", "read"]


def test_rows_too_young_are_left_to_the_next_run(server, polls):
    shop = Shop()
    campaign, loja = shop.campaign(), shop.instance("loja")
    young = shop.row(campaign, "YOUNG", sent=NOW - 10 * MINUTE, instance=loja)
    late = shop.row(campaign, "LATE", sent=NOW - DAY, instance=loja)
    old = shop.row(campaign, "OLD", sent=NOW - DAY, instance=loja)
    shop.knows("loja", "YOUNG", "READ", sent=NOW - 10 * MINUTE, at=NOW - 9 * MINUTE)
    shop.knows("loja", "LATE", "READ", at=NOW - 9 * MINUTE)
    shop.knows("loja", "OLD", "READ")
    db = shop.create(server)
    polls.serve(shop, version="1.8")
    done, report = polls.report(db, "--apply")
    assert done.status == 0 and report["messages"]["deferred"] == 2, done
    assert statuses(db) == {young: "sent", late: "sent", old: "read"}
    polls.serve(shop, version="2.3")  # the moment of asking is no sign of youth
    done, report = polls.report(db, "--apply")
    assert report["messages"]["deferred"] == 1
    assert statuses(db) == {young: "sent", late: "read", old: "read"}
    done, report = polls.report(db, "--apply", "--settle", "5m")
    assert report["messages"]["deferred"] == 0 and set(statuses(db).values()) == {"read"}


# ---- the scope -------------------------------------------------------------------------------

@pytest.fixture
def mall(server, polls):
    """Two tenants with two campaigns each and an instance each; all messages were read."""
    shop = Shop()
    other = shop.new_tenant()
    shop.named = {}
    for tenant, instance in ((shop.tenant, "mine"), (other, "theirs")):
        id = shop.instance(instance, tenant)
        for name in ("Natal", "Carnaval"):
            campaign = shop.campaign("%s %s" % (name, instance), tenant)
            shop.named["%s %s" % (name, instance)] = campaign
            shop.sell(campaign, id, instance, 5, prefix=name + instance)
    db = shop.create(server)
    return shop, db, polls.serve(shop)


def read_campaigns(shop, db):
    names = {id: name for name, id in shop.named.items()}
    return {names[r["campaign_id"]] for r in tables.read(db).rows if r["status"] == "read"}


SCOPES = [
    (lambda s: ["--instance", "THEIRS "], {"Natal theirs", "Carnaval theirs"}, {"theirs"}),
    (lambda s: ["--campaign", "Natal mine"], {"Natal mine"}, {"mine"}),
    (lambda s: ["--campaign", s.named["Natal mine"], "--campaign", "Carnaval theirs"],
     {"Natal mine", "Carnaval theirs"}, {"mine", "theirs"}),
    (lambda s: ["--tenant", s.tenants[1]], {"Natal theirs", "Carnaval theirs"}, {"theirs"}),
]


@pytest.mark.parametrize("choice,campaigns,instances", SCOPES, ids=[
    "instance", "campaign", "campaigns", "tenant"])
def test_the_scope_limits_what_is_asked_and_written(mall, polls, choice, campaigns, instances):
    shop, db, g = mall
    done, report = polls.report(db, "--apply", *choice(shop))
    assert done.status == 0, done
    assert read_campaigns(shop, db) == campaigns
    assert report["warnings"] == []
    assert asked(g) == instances


@pytest.mark.parametrize("option,value", [("--instance", "nobody"), ("--campaign", "Nothing"),
                                          ("--tenant", "x")])
def test_a_scope_that_does_not_exist_is_named(mall, polls, option, value):
    shop, db, g = mall
    done = polls.run(db, option, value)
    assert done.status == 2 and value in done.said, done
    assert asked(g) == set()


def test_an_instance_name_two_instances_share_is_refused(server, polls):
    shop = Shop()
    shop.instance("loja")
    shop.instance("LOJA", shop.new_tenant())
    shop.campaign()
    db = shop.create(server)
    polls.serve(shop)
    done = polls.run(db, "--instance", "loja")
    assert done.status == 2 and "loja" in done.said, done


def test_all_recounts_campaigns_no_answer_touches(mall, polls):
    shop, db, _ = mall
    campaign = shop.named["Natal mine"]
    db.sql("UPDATE campaigns_contact SET status = 'failed' WHERE campaign_id = '%s'" % campaign)
    done, report = polls.report(db, "--apply")
    assert done.status == 0 and stored_counters(db)[campaign]["failed"] == 0, done
    done, report = polls.report(db, "--apply", "--all")
    assert done.status == 0 and stored_counters(db)[campaign]["failed"] == 5, done
    assert [c["id"] for c in report["campaigns"]] == [campaign]


def test_nothing_unsettled_asks_nobody(server, polls):
    shop = Shop()
    loja = shop.instance("loja")
    shop.row(shop.campaign(), "M", "read", instance=loja, delivered_at=NOW - DAY, read_at=NOW - DAY)
    db = shop.create(server)
    g = polls.serve(shop)
    done, report = polls.report(db, "--apply")
    assert done.status == 0 and report["input"]["requests"] == 0, done
    assert asked(g) == set()


# ---- safety catches ----------------------------------------------------------------------------

@pytest.mark.parametrize("limit,refuses", [("19", True), ("20", False), ("99%", True),
                                           ("100%", False)])
def test_more_corrections_than_allowed_write_nothing_at_all(mall, polls, limit, refuses):
    shop, db, _ = mall
    before = db.versions()
    done, dry = polls.report(db, "--max-corrections", limit)
    assert done.status == 1 and dry["messages"]["updated"] == 20, done
    assert any("--max-corrections" in w for w in dry["warnings"]) is refuses
    done = polls.run(db, "--apply", "--max-corrections", limit)
    assert done.status == (4 if refuses else 0), done
    if refuses:
        assert db.versions() == before and "--max-corrections" in done.said
    else:
        assert set(statuses(db).values()) == {"read"}


@pytest.mark.parametrize("apply", [[], ["--apply"], ["--apply", "--max-corrections", "50"]])
def test_an_instance_with_a_wrong_clock_is_left_out(server, polls, apply):
    shop = Shop()
    campaign = shop.campaign()
    for name, off in (("early", -3 * HOUR), ("right", MINUTE), ("few", -3 * HOUR)):
        instance = shop.instance(name)
        for n in range(4 if name == "few" else 8):
            shop.row(campaign, "%s%d" % (name, n), instance=instance)
            shop.knows(name, "%s%d" % (name, n), "READ", at=NOW - DAY + off)
    db = shop.create(server)
    polls.serve(shop, version="1.8")
    done, report = polls.report(db, *apply)
    assert done.status == 3, done
    named = [w for w in report["warnings"] if "clock" in w]
    assert len(named) == 1 and '"early"' in named[0]
    assert report["messages"]["updated"] == 12
    after = {r["whatsapp_message_id"]: r["status"] for r in tables.read(db).rows}
    if apply:
        assert {m for m, s in after.items() if s == "sent"} == {"early%d" % n for n in range(8)}
        assert list(stored_counters(db).values())[0]["read"] == 12
    done = polls.run(db, "--accept-clock", *apply)
    assert done.status == (0 if apply else 1), done


def test_a_key_and_an_address_are_needed(server, polls):
    shop = Shop()
    shop.instance("loja")
    shop.campaign()
    db = shop.create(server)
    done = polls.run(db)
    assert done.status == 2 and "--evolution-url" in done.said, done
    polls.url = "http://127.0.0.1:9"
    done = polls.run(db, env=polls.environment(key=None))
    assert done.status == 2 and "EVOLUTION_API_KEY" in done.said, done
    done = polls.run(db, "--api-key-file", "nowhere", env=polls.environment(key=None))
    assert done.status == 2 and "nowhere" in done.said, done


@pytest.mark.parametrize("key", ["k" * 1024, "one\ntwo\n", "a\tb"], ids=["long", "two", "tab"])
def test_a_key_that_would_be_cut_is_refused(mall, polls, tmp_path, key):
    _, db, g = mall
    (tmp_path / "key").write_text(key)
    done = polls.run(db, "--api-key-file", "key", env=polls.environment(key=None))
    assert done.status == 2 and "API key" in done.said and "kkkk" not in done.said, done
    assert asked(g) == set()


def test_the_key_may_come_from_a_file(mall, polls, tmp_path):
    _, db, _ = mall
    (tmp_path / "key").write_text(gateway.KEY + "\n")
    done = polls.run(db, "--api-key-file", "key", env=polls.environment(key=None))
    assert done.status == 1, done


def test_the_command_that_applies_is_told(mall, polls):
    _, db, _ = mall
    done = polls.run(db, "--sent-since", "3d")
    told = (done.out + done.err).decode()
    assert "reconcile poll --apply" in told and "--sent-since 3d" in told
    assert gateway.KEY not in told
