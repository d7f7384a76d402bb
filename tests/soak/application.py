"""The application at work: a worker that sends, and handlers of webhooks that come late, twice,
in another order, or never."""

import collections
import heapq
import itertools
import random
import re
import threading
import time

import test_live as live

import pg
from oracle import times

HANDLERS = 3
RANK = {"sent": 1, "delivered": 2, "read": 3, "failed": 4}
NEWS = {"DELIVERY_ACK": "delivered", "DELIVERED": "delivered", "READ": "read", "ERROR": "failed",
        "FAILED": "failed", 0: "failed", 2: "delivered", 3: "read"}
SETS = {name: values for name, _, values in live.EVENTS}


class Line:
    """A connection that is made again where it breaks."""

    def __init__(self, app):
        self.app = app
        self.session = None

    def run(self, sql):
        """What the statements print; None where they failed."""
        self.app.open.wait()
        try:
            if self.session is None:
                self.session = pg.Session(self.app.db)
                self.session.run("SET statement_timeout = '30s';")
            return self.session.run(sql)
        except (RuntimeError, OSError, ValueError) as e:
            self.app.note(str(e))
            self.close()
            return None

    def close(self):
        session, self.session = self.session, None
        if session:
            session.process.kill()
            session.process.wait()
            session.process.stdout.close()
            try:
                session.process.stdin.close()
            except OSError:  # it had more to say to who has gone
                pass


class Application:
    """Threads of one world; quiet() returns when all that was to come has come, and nothing is done
    from then on until wake()."""

    def __init__(self, db, ledger, capture, seed):
        self.db = db
        self.ledger = ledger
        self.capture = capture
        self.naming = db.naming
        self.rng = random.Random("application %s" % seed)
        self.open = threading.Event()  # whether connections may be made
        self.open.set()
        self.condition = threading.Condition()
        self.due = []
        self.numbers = itertools.count()
        self.busy = 0
        self.hurry = False
        self.ending = False
        self.problems = {}
        self.broken = None  # what a thread died of
        self.to_send = []
        self.untold = collections.deque(maxlen=30)  # rows that missed a webhook of late
        self.threads = [threading.Thread(target=self.guard, args=(loop,), daemon=True)
                        for loop in [self.work] + [self.handle] * HANDLERS]
        for t in self.threads:
            t.start()

    def guard(self, loop):
        line = Line(self)
        try:
            loop(line)
        except Exception as e:  # pylint: disable=broad-except
            self.broken = e
            raise
        finally:
            line.close()

    def note(self, text):
        kind = re.search(r"(?:ERROR|FATAL): +([^\n]*)", text)
        kind = re.sub(r"\d+", "N", kind.group(1)) if kind else "connection lost"
        with self.condition:
            self.problems[kind] = self.problems.get(kind, 0) + 1

    # ---- the worker ----

    def send(self, rows):
        with self.condition:
            self.to_send += rows
            self.condition.notify_all()

    def schedule(self, events):
        with self.condition:
            for event in events:
                delay = self.rng.choice([0, 0.2, 1, 2, 5, 20, 60]) * self.rng.random()
                heapq.heappush(self.due, (time.monotonic() + delay, next(self.numbers), event))
            self.condition.notify_all()

    def work(self, line):
        sent = collections.deque(maxlen=200)
        while not self.ending:
            with self.condition:
                row = self.to_send.pop(0) if self.to_send else None
                idle = row is None and (self.hurry or len(sent) < 10)
                self.busy += not idle
                if idle:
                    self.condition.wait(0.5)
                    continue
            try:
                if row:
                    self.send_one(line, row)
                    sent.append(row)
                if len(sent) > 10 and (row is None or self.rng.random() < 0.2):
                    self.disturb(line, self.rng.choice(sent))
            finally:
                with self.condition:
                    self.busy -= 1
            time.sleep(0.01 if row else 0.1)

    def send_one(self, line, row):
        """What the gateway answers with is stored; webhooks may beat that."""
        if row.sends == 0 and self.rng.random() < 0.03:
            line.run("UPDATE %s SET status = 'failed' WHERE id = '%s';" % (self.naming.row, row.id))
            return
        with row.lock:
            mid, at, sender, events = self.ledger.send(row)
            beaten = self.rng.random() < 0.1
            if beaten:
                self.schedule(events)
                time.sleep(0.05)
            row.certain = False
            done = line.run(
                "UPDATE %s SET whatsapp_message_id = '%s', status = 'sent', sent_at = '%s',"
                " delivered_at = NULL, read_at = NULL, retry_count = %d WHERE id = '%s';"
                % (self.naming.row, mid, times.show(at * 1000000), row.sends - 1, row.id))
            row.mid = mid
            row.certain = done is not None
            if not beaten:
                self.schedule(events)
        instance = "NULL" if self.rng.random() < 0.2 else "'%s'" % sender["id"]
        line.run("INSERT INTO %s (id, log_type, severity, message, created_at, campaign_id,"
                 " campaign_contact_id, contact_id, instance_id) VALUES (gen_random_uuid(),"
                 " 'message_sent', 'info', 'x', now(), '%s', '%s', '%s', %s);"
                 % (self.naming.log, row.campaign, row.id, row.id, instance))

    def disturb(self, line, row):
        """A stale copy of a row or a campaign is saved, or a row is queued and sent again: mostly
        one that seems not to have come, which a run may be about to correct."""
        kind = self.rng.randrange(4)
        if kind >= 2 and self.untold:
            row = self.untold.pop()
        if kind == 0 and row.mid:
            line.run("UPDATE %s SET status = 'sent', delivered_at = NULL, read_at = NULL"
                     " WHERE id = '%s' AND status IN ('sent', 'delivered', 'read');"
                     % (self.naming.row, row.id))
        elif kind == 1:
            columns = [c for k, c in self.naming.counters.items() if k != "total"]
            old = line.run("SELECT %s FROM campaigns_campaign WHERE id = '%s';"
                           % (", ".join(columns), row.campaign))
            time.sleep(0.2)
            if old:
                line.run("UPDATE campaigns_campaign SET %s WHERE id = '%s';" % (", ".join(
                    "%s = %s" % pair for pair in zip(columns, old.strip().split("|"))),
                    row.campaign))
        elif kind >= 2 and row.mid and row.sends < 4:
            with row.lock:
                row.certain = False
                line.run("UPDATE %s SET status = 'pending', delivered_at = NULL, read_at = NULL"
                         " WHERE id = '%s';" % (self.naming.row, row.id))
            if self.rng.random() < 0.8:
                self.send([row])

    # ---- the handlers ----

    def next_event(self):
        with self.condition:
            while not self.ending:
                now = time.monotonic()
                if self.due and (self.hurry or self.due[0][0] <= now):
                    self.busy += 1
                    return heapq.heappop(self.due)[2]
                wait = 0.5 if not self.due else min(0.5, self.due[0][0] - now)
                self.condition.wait(max(wait, 0.001))
        return None

    def handle(self, line):
        rng = random.Random(self.rng.random())
        while True:
            event = self.next_event()
            if event is None:
                return
            try:
                for _ in range(rng.choice([1, 1, 1, 1, 2])):  # Evolution may post it twice
                    self.capture.write(event)
                    self.ledger.captured(event)
                    if event.forged:
                        continue
                    if rng.random() < 0.65:
                        self.receive(line, event, rng)
                    else:
                        self.untold.append(self.ledger.row_of[event.mid])
            finally:
                with self.condition:
                    self.busy -= 1

    def receive(self, line, event, rng):
        """The handler that looks, and writes by what it saw; it knows neither PLAYED nor who it
        is that posts."""
        news = NEWS.get(event.status)
        if news is None:
            return
        row = self.find(line, event.mid)
        if row is None:
            return
        with self.ledger.rows[row].lock:
            found = line.run(
                "SELECT id, campaign_id, contact_id, instance_used_id, status FROM %s"
                " WHERE whatsapp_message_id = '%s';" % (self.naming.row, event.mid))
            if not found or not found.strip():
                return
            row, campaign, person, instance, status = found.strip().split("|")
            rank = RANK.get(status, 9)
            if news != "failed" and rank > RANK[news]:
                return
            write = rng.choice([live.DESIGN, live.DEPLOYED]) % {
                "event": news, "set": SETS[news], "log": live.LOG % ("message_" + news)}
            sql = live.script(self.naming, write)
            for name, value in (("row", row), ("campaign", campaign), ("person", person),
                                ("instance", instance)):
                sql = sql.replace("':%s'" % name, "'%s'" % value if value else "NULL")
            line.run(sql)

    def find(self, line, mid):
        found = line.run("SELECT id FROM %s WHERE whatsapp_message_id = '%s';"
                         % (self.naming.row, mid))
        return found.strip() if found and found.strip() else None

    # ---- rest ----

    def pause(self):
        """No connection is made any more; those there are break by themselves."""
        self.open.clear()

    def go_on(self):
        self.open.set()

    def quiet(self):
        """Waits until everything has been sent and told."""
        self.hurry = True
        deadline = time.monotonic() + 600
        with self.condition:
            while self.due or self.to_send or self.busy:
                self.check()
                assert time.monotonic() < deadline, "the application does not come to rest"
                self.condition.notify_all()
                self.condition.wait(0.1)
        self.check()

    def wake(self):
        self.hurry = False

    def check(self):
        if self.broken:
            raise self.broken

    def stop(self):
        self.ending = True
        self.open.set()
        for t in self.threads:
            t.join(60)
