"""Random databases and the archives that go with them, made from a seeded random.Random."""

import random
import uuid

import archives
import tables as io
from oracle import database, decide

START = 1760900000
SPAN = 3 * 86400
SECOND = 1000000

_NAMES = ["Loja", " loja ", "LOJA-2", "tenant_1_inst_1", "a1b2c3d4e5f60718293a4b5c6d7e8f90", "",
          "bf30555a-b55f-4d1f-b307-65a8bcb1ccbe", "\u00c9vora", "short-name"]
_SPOKEN = _NAMES + ["\tLOJA\r\n", "loja-2", "TENANT_1_INST_1 ", "nobody's", "   ", "shortname",
                    "A1B2C3D4-e5f6-0718-293a-4b5c6d7e8f90", "bf30555ab55f4d1fb30765a8bcb1ccbe",
                    "--------------------------------", "\u00e9vora"]


class World:
    """One database with its tenants, and the archives: name -> bytes."""

    def __init__(self, tenants, tables, archives_):
        self.tenants = tenants
        self.tables = tables
        self.archives = archives_

    def create(self, server, variant):
        """The world's database on a server."""
        db = server.fresh(variant)
        db.sql(io.write(db.naming, self.tenants, self.tables))
        return db

    def save(self, directory):
        """Writes the archives; their names in byte order."""
        for number, (name, data) in enumerate(sorted(self.archives.items())):
            archives.save(directory / name, data, START + number)
        return sorted(self.archives)


class Maker:
    """Draws one world. odd_rows lets rows contradict themselves beyond what we may repair."""

    def __init__(self, seed, variant, odd_rows=False, start=START, span=SPAN, campaigns=4,
                 rows=60):
        self.rng = random.Random("world %s" % seed)
        self.bigint = variant.endswith("bigint")
        self.odd_rows = odd_rows
        self.start = start
        self.span = span
        self.campaign_count = campaigns
        self.row_count = rows
        self.last_id = 0

    def new_id(self):
        if self.bigint:
            self.last_id += self.rng.choice([1, 1, 7, 1 << 40])
            return self.last_id
        return str(uuid.UUID(int=self.rng.getrandbits(128)))

    def moment(self):
        # a multiple of ten minutes now and then, so that times coincide
        at = self.start + self.rng.randrange(self.span)
        if self.rng.random() < 0.2:
            return at // 600 * 600 * SECOND
        return at * SECOND + self.rng.randrange(SECOND)

    def instances(self, tenants):
        made = []
        for _ in range(7):
            made.append({
                "id": self.new_id(), "tenant_id": self.rng.choice(tenants + [None]),
                "instance_name": self.rng.choice(_NAMES),
                "evolution_instance_name": self.rng.choice(["", "", "Evo", "evo ", "Loja"])})
        return made

    def campaigns(self, tenants):
        made = []
        for number in range(self.campaign_count):
            count = {name: self.rng.randrange(20) for name in ("sent", "delivered", "read", "failed")}
            made.append(dict(count, id=self.new_id(), tenant_id=self.rng.choice(tenants),
                             name="Campanha %d" % number, total=self.rng.randrange(40)))
        return made

    def row(self, campaigns, instances, message_ids):
        rng = self.rng
        status = rng.choice(["sent"] * 6 + ["delivered", "read", "failed"] * 3 +
                            ["sending", "sending", "pending", "queued"])
        made = {"id": self.new_id(), "campaign_id": rng.choice(campaigns)["id"], "status": status,
                "whatsapp_message_id": rng.choice(message_ids + [None, "", None]),
                "instance_used_id": rng.choice([None, None, rng.choice(instances)["id"]]),
                "error_message": rng.choice([None, None, "", "x"])}
        decided = status not in ("pending", "queued", "sending")
        for name, likely in (("sent_at", 0.8 if decided else 0.3), ("delivered_at", 0.3),
                             ("read_at", 0.2), ("failed_at", 0.15)):
            made[name] = self.moment() if rng.random() < likely else None
        if not decided and not self.odd_rows:
            # nothing repairs these, so they must not contradict themselves
            made["delivered_at"] = made["delivered_at"] if made["sent_at"] else None
            made["read_at"] = made["read_at"] if made["delivered_at"] else None
        return made

    def make(self):
        rng = self.rng
        tenants = [self.new_id() for _ in range(3)]
        instances = self.instances(tenants)
        campaigns = self.campaigns(tenants)
        message_ids = ["3EB0%06X" % n for n in range(int(self.row_count * 0.9))]
        rows = [self.row(campaigns, instances, message_ids) for _ in range(self.row_count)]
        strangers = ["STRANGER%d" % n for n in range(5)]
        # most evidence under a name that may speak, the rest under any
        spoken = [i["instance_name"] for i in instances if i["instance_name"]] * 4 + _SPOKEN
        lines = [archives.dump(archives.event_record(
            rng, spoken, message_ids + strangers, self.start, self.span, odd=0.02), rng)
            for _ in range(self.row_count * 2)]
        made = {}
        for number in range(3):
            data = "\n".join(lines[number::3]).encode() + b"\n"
            made["w-%d.jsonl%s" % (number, ".gz" if number else "")] = (
                archives.pack(data, 2, rng) if number else data)
        return World(tenants, database.Tables(instances, campaigns, rows), made)


def single(status, evidence=(), variant="deployed", **row):
    """A database of one campaign with one row of message id M, and one archive.

    evidence: (status word, RFC 3339 time or None) of instance `loja`.
    """
    maker = Maker("single", variant)
    tenant, instance, campaign = maker.new_id(), maker.new_id(), maker.new_id()
    base = dict.fromkeys(decide.TIMES + ("error_message", "instance_used_id"))
    base.update(id=maker.new_id(), campaign_id=campaign, status=status, whatsapp_message_id="M")
    base.update(row)
    zero = dict.fromkeys(("sent", "delivered", "read", "failed"), 0)
    return World([tenant], database.Tables(
        [{"id": instance, "tenant_id": tenant, "instance_name": "loja",
          "evolution_instance_name": ""}],
        [dict(zero, id=campaign, tenant_id=tenant, name="Natal", total=1)],
        [base]), {"a": b"".join(line("loja", "M", *seen) for seen in evidence)})


def line(instance, message_id, status, moment=None, **more):
    """One webhook body on a line of its own."""
    made = {"event": "messages.update", "instance": instance,
            "data": dict({"keyId": message_id, "status": status}, **more)}
    if moment is not None:
        made["date_time"] = moment
    return archives.dump(made).encode() + b"\n"


def campaign_of(statuses, variant="deployed", count=None, campaigns=1):
    """A database of rows M0, M1 … with the given statuses (repeated up to count), sent at 10:00.

    The rows are dealt out to the campaigns in turn; the archive is empty.
    """
    world = single("sent", variant=variant)
    maker = Maker("campaign", variant)
    maker.last_id = 1 << 50
    base = world.tables.rows[0]
    first = world.tables.campaigns[0]
    world.tables.campaigns = [first] + [dict(first, id=maker.new_id(), name="Natal %d" % n)
                                        for n in range(1, campaigns)]
    world.tables.rows = [
        dict(base, id=maker.new_id(), status=statuses[n % len(statuses)],
             campaign_id=world.tables.campaigns[n % campaigns]["id"],
             whatsapp_message_id="M%d" % n, sent_at=1760954400 * SECOND)
        for n in range(count or len(statuses))]
    return world
