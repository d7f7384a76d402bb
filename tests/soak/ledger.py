"""What the soak test knows of its world: who sends, what was sent, and what really became of it."""

import random
import threading
import time
import uuid

import gateway
from oracle import database, decide

SECOND = 1000000
TENANTS = 2
CAMPAIGNS = 3  # made each round
ROWS = 40  # of each
PAST = 3 * 3600  # seconds that messages have been sent within
KNOWN = {"SERVER_ACK": "sent", "DELIVERY_ACK": "delivered", "DELIVERED": "delivered",
         "READ": "read", "PLAYED": "read", "ERROR": "failed", "FAILED": "failed",
         0: "failed", 2: "delivered", 3: "read"}


class Row:
    """A row that the worker sends. mid is its message id; certain, whether the database has it."""

    def __init__(self, id, campaign):
        self.id = id
        self.campaign = campaign
        self.mid = None
        self.certain = True
        self.lock = threading.Lock()  # who sends it again, or hands a webhook of it over
        self.sends = 0


class Event:
    """A status change: what the webhook of it says. forged: by an instance of somebody else."""

    def __init__(self, mid, instance, status, at, forged=False):
        self.mid = mid
        self.instance = instance  # its name
        self.status = status
        self.at = at  # seconds since 1970
        self.forged = forged


class Ledger:
    """One world, which grows with every round."""

    def __init__(self, seed, forged):
        self.rng = random.Random("ledger %s" % seed)
        self.forged = forged  # whether strangers claim things, too
        self.tenants = [self.new_id() for _ in range(TENANTS)]
        self.instances = []
        self.by_tenant = {}
        for number, tenant in enumerate(self.tenants + [None]):
            for name in ("loja-%d" % number, " Filial %d " % number):
                self.instances.append({"id": self.new_id(), "tenant_id": tenant,
                                       "instance_name": name, "evolution_instance_name": ""})
        for tenant in self.tenants:
            self.by_tenant[tenant] = [i for i in self.instances if i["tenant_id"] in (tenant, None)]
        self.campaigns = {}  # id -> tenant
        self.rows = {}
        self.seen = {}  # message id -> milestones that true webhooks have told
        self.row_of = {}  # message id -> the row it was sent for
        self.stored = []  # what Evolution knows
        self.messages = 0

    def new_id(self):
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def grow(self, round_number):
        """The campaigns and rows of one more round, as oracle Tables, and their Rows."""
        campaigns, rows, made = [], [], []
        for number in range(CAMPAIGNS):
            tenant = self.rng.choice(self.tenants)
            zero = dict.fromkeys(("sent", "delivered", "read", "failed"), 0)
            campaigns.append(dict(zero, id=self.new_id(), tenant_id=tenant, total=ROWS,
                                  name="Campanha %d.%d" % (round_number, number)))
            self.campaigns[campaigns[-1]["id"]] = tenant
            for _ in range(ROWS):
                row = dict.fromkeys(decide.TIMES + ("error_message", "whatsapp_message_id",
                                                    "instance_used_id"))
                row.update(id=self.new_id(), campaign_id=campaigns[-1]["id"], status="pending")
                if self.rng.random() < 0.4:
                    row["instance_used_id"] = self.rng.choice(self.by_tenant[tenant])["id"]
                rows.append(row)
                made.append(Row(row["id"], row["campaign_id"]))
                made[-1].instance = row["instance_used_id"]
                self.rows[row["id"]] = made[-1]
        instances = [] if round_number else self.instances
        return database.Tables(instances, campaigns, rows), made

    def sender(self, row):
        """The instance that sends a row."""
        if row.instance:
            return next(i for i in self.instances if i["id"] == row.instance)
        return self.rng.choice(self.by_tenant[self.campaigns[row.campaign]])

    def send(self, row):
        """One more message: its id, when it was sent, its sender and the events to come."""
        self.messages += 1
        row.sends += 1
        mid = "3EB0%08X%06X" % (self.rng.getrandbits(32), self.messages)
        self.row_of[mid] = row
        now = int(time.time())
        sent = now - self.rng.randrange(60, PAST) if self.rng.random() < 0.8 else now
        sender = self.sender(row)
        steps = self.rng.choice([
            ["SERVER_ACK"], ["SERVER_ACK", "DELIVERY_ACK"], ["DELIVERY_ACK", "READ"],
            ["SERVER_ACK", "DELIVERY_ACK", "READ"], ["READ"], ["DELIVERY_ACK", "PLAYED"], ["ERROR"],
            ["SERVER_ACK", "FAILED"], ["DELIVERED", "READ", "ERROR"], [2], [2, 3], [0], []])
        events, at = [], sent
        for status in steps:
            at = min(now, at + self.rng.randrange(1, 900))
            events.append(Event(mid, sender["instance_name"], status, at))
        self.stored.append(gateway.Message(
            sender["instance_name"], mid, sent,
            [(e.status, e.at * 1000) for e in events]))
        if self.forged and self.rng.random() < 0.1:
            tenant = self.campaigns[row.campaign]
            stranger = next(i for i in self.instances if i["tenant_id"] not in (tenant, None))
            events.append(Event(mid, stranger["instance_name"], "ERROR", at, True))
        return mid, sent, sender, events

    def captured(self, event):
        """A webhook is in the archives."""
        if not event.forged:
            self.seen.setdefault(event.mid, set()).add(KNOWN[event.status])

    def url_names(self):
        return sorted(i["instance_name"] for i in self.instances)

    def status_of(self, mid):
        """What a message has come to, by all that was ever told of it."""
        seen = self.seen.get(mid, set())
        return next((s for s in ("failed", "read", "delivered") if s in seen), "sent")
