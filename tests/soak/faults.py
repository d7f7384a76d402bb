"""What goes wrong while a run is under way, and how the run may end for it."""

import signal
import threading
import time

import pg

OURS = "application_name ~ '^(replay|reconcile)'"
DONE = (0, 3)

# A request that fails fails so many times at most; then it is answered.
GATEWAY = [
    {"fault": "429", "retry_after": 1}, {"fault": "429"}, {"fault": "5xx"},
    {"fault": "5xx", "status": 500}, {"fault": "stall", "seconds": 10}, {"fault": "reset"},
    {"fault": "close"}, {"fault": "cut"}, {"fault": "broken_json"}, {"fault": "html"},
    {"fault": "misshapen"}]


def gateway_rules(rng):
    """Rules for the stub; now and then one instance is unknown."""
    rules = [dict(rule, chance=0.2, times=1) for rule in rng.sample(GATEWAY, 3)]
    if rng.random() < 0.15:
        return rules + [{"fault": "status", "status": 404, "instance": "loja-0"}]
    return rules


class Fault:
    """Strikes once, at a moment of its own, from a thread."""

    name = ""
    statuses = DONE + (4,)

    def __init__(self, soak, rng):
        self.soak = soak
        self.rng = rng
        self.delay = rng.choice([0.02, 0.1, 0.3, 1]) * rng.random()
        self.error = None
        self.thread = None

    def begin(self, run):
        self.thread = threading.Thread(target=self._later, args=(run,), daemon=True)
        self.thread.start()

    def _later(self, run):
        try:
            if run:
                run.pid()
            time.sleep(self.delay)
            self.strike(run)
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def end(self):
        self.thread.join(600)
        if self.error:
            raise self.error

    def strike(self, run):
        raise NotImplementedError


class Terminated(Fault):
    name = "terminated"

    def strike(self, run):
        self.soak.maintenance.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + OURS)


class Signalled(Fault):

    def __init__(self, soak, rng):
        super().__init__(soak, rng)
        self.sign = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        self.name = self.sign.name
        self.statuses = DONE + (128 + self.sign,)

    def strike(self, run):
        run.kill(self.sign)


class Restarted(Fault):
    """The server crashes and comes again, or is stopped in order."""

    name = "restart"

    def strike(self, run):
        self.soak.app.pause()
        self.soak.server.process.send_signal(self.rng.choice([signal.SIGINT, signal.SIGQUIT]))
        self.soak.server.process.wait(300)

    def end(self):
        """A server ends with the thread that started it, so the fault's own must not."""
        try:
            super().end()
        finally:
            if self.soak.server.process.poll() is not None:
                self.soak.note_waits()
                self.soak.server._run()  # pylint: disable=protected-access
            self.soak.app.go_on()


class Held(Fault):
    """Somebody holds rows, or a campaign, for a while."""

    name = "lock held"
    statuses = DONE

    def begin(self, run):
        naming = self.soak.db.naming
        self.session = pg.Session(self.soak.db)
        table = self.rng.choice([naming.row, naming.campaign])
        self.session.run("BEGIN; SELECT count(*) FROM (SELECT id FROM %s ORDER BY random() LIMIT 5"
                         " FOR UPDATE SKIP LOCKED) AS held;" % table)
        super().begin(run)

    def strike(self, run):
        time.sleep(self.rng.random() * 2)
        self.session.run("ROLLBACK;")
        self.session.close()


ALL = (Terminated, Signalled, Signalled, Held, Held, Restarted)
