"""Row x evidence x policy -> final row and cause; counters (docs/semantics.md 5 and 6)."""

from . import fold

STATUSES = ("pending", "sending", "sent", "delivered", "read", "failed")
TIMES = ("sent_at", "delivered_at", "read_at", "failed_at")
VALUES = ("status",) + TIMES + ("error_message",)
CAUSES = ("missed_webhook", "overwritten", "inconsistent", "unproven", "timestamp")
CHAIN = ("sent", "delivered", "read")
SECOND = 1000000


class Policy:
    """The options that change what is decided."""

    def __init__(self, rebuild=False, failed_wins="always", timestamps="fill",
                 time_tolerance=60, approximate_times="observed", settle=900):
        self.rebuild = rebuild
        self.failed_wins = failed_wins
        self.timestamps = timestamps
        self.time_tolerance = time_tolerance
        self.approximate_times = approximate_times
        self.settle = settle


def _close(known):
    """Read proves delivered, delivered proves sent."""
    known = set(known)
    if "read" in known:
        known.add("delivered")
    if "delivered" in known:
        known.add("sent")
    return known


def recorded(row):
    """The milestones a row records by itself."""
    known = set()
    if row["sent_at"] is not None or row["status"] in ("sent", "delivered", "read"):
        known.add("sent")
    if row["delivered_at"] is not None or row["status"] in ("delivered", "read"):
        known.add("delivered")
    if row["read_at"] is not None or row["status"] == "read":
        known.add("read")
    if row["status"] == "failed":
        known.add("failed")
    return _close(known)


def _by_merge(row, evidence, rebuild, dropped):
    """Whether a row is decided by merge, whatever the mode of the run."""
    if not rebuild or not row["whatsapp_message_id"] or dropped:
        return True
    return row["status"] == "failed" and not evidence.sightings


def _status(known, failed_wins, otherwise):
    if "failed" in known and (failed_wins == "always" or "delivered" not in known):
        return "failed"
    for milestone in reversed(CHAIN):
        if milestone in known:
            return milestone
    return otherwise


def _least(*moments):
    return min((m for m in moments if m is not None), default=None)


def _first(*candidates):
    return next((c for c in candidates if c is not None), None)


class _Clock:
    """The times a decision may use."""

    def __init__(self, row, evidence, policy, merge):
        self.row = {name: row[name] for name in TIMES}
        self.evidence = evidence
        self.policy = policy
        self.merge = merge
        if policy.timestamps == "earliest":
            for milestone, sighting in evidence.sightings.items():
                held = self.row[milestone + "_at"]
                tolerance = policy.time_tolerance * SECOND
                if held is not None and not sighting.approximate and held - sighting.time > tolerance:
                    self.row[milestone + "_at"] = sighting.time

    def seen(self, milestone):
        """E's time for a milestone, where it counts as known."""
        sighting = self.evidence.sightings.get(milestone)
        if sighting is None:
            return None
        if sighting.approximate and self.policy.approximate_times == "null":
            # rebuild has nothing to put in its place, so what the row holds stays
            return None if self.merge else self.row[milestone + "_at"]
        return sighting.time

    def first(self, milestone):
        """The row's (in merge), else the evidence's."""
        return _first(self.row[milestone + "_at"] if self.merge else None, self.seen(milestone))


def _final(row, evidence, policy, merge, failed_wins):
    known = set(m for m in CHAIN + ("failed",) if m in evidence.sightings)
    if merge:
        known |= recorded(row)
    elif row["sent_at"] is not None or row["status"] != "sending":
        known.add("sent")
    known = _close(known)
    clock = _Clock(row, evidence, policy, merge)
    final = dict(row)
    final["status"] = _status(known, failed_wins, row["status"])
    for name in ("read_at", "delivered_at", "failed_at"):
        final[name] = clock.row[name] if merge else None
    if "read" in known:
        final["read_at"] = clock.first("read")
    if "delivered" in known:
        final["delivered_at"] = _first(clock.first("delivered"), final["read_at"])
    final["sent_at"] = clock.row["sent_at"]
    if "sent" in known:
        final["sent_at"] = _first(clock.row["sent_at"], clock.seen("sent"),
                                  _least(final["delivered_at"], final["read_at"]))
    if final["status"] == "failed":
        final["failed_at"] = clock.first("failed")
        proof = evidence.sightings.get("failed")
        if not row["error_message"] and proof is not None:
            final["error_message"] = (proof.error or "").replace("\0", "") or "Erro desconhecido"
    return final, known


def contradicts(row):
    """Whether a milestone that the row records lacks its time."""
    return any(row[milestone + "_at"] is None for milestone in recorded(row))


def _cause(row, final, known):
    before = recorded(row)
    if before - known:
        return "unproven"
    if final["status"] not in before:
        return "missed_webhook"
    if row["status"] == "failed":
        overwritten = final["status"] != "failed"
    else:
        rank = CHAIN.index(row["status"]) if row["status"] in CHAIN else -1
        overwritten = any(row[m + "_at"] is not None for m in CHAIN[rank + 1:])
    if overwritten:
        return "overwritten"
    return "inconsistent" if contradicts(row) else "timestamp"


def untouchable(row, evidence):
    """Whether a row is not decided at all: requeued, unknown, or sending without proof."""
    if row["status"] == "sending":
        return evidence is None or not evidence.sightings
    return row["status"] not in STATUSES or row["status"] == "pending"


def decide(row, evidence, policy, dropped=False):
    """(final row, cause); the cause is None where nothing changes."""
    if untouchable(row, evidence):
        return dict(row), None
    evidence = evidence if evidence is not None else fold.Evidence()
    merge = _by_merge(row, evidence, policy.rebuild, dropped)
    failed_wins = policy.failed_wins
    if policy.rebuild and row["status"] == "failed" and not evidence.sightings:
        failed_wins = "always"
    final, known = _final(row, evidence, policy, merge, failed_wins)
    if all(final[name] == row[name] for name in VALUES):
        return final, None
    return final, _cause(row, final, known)


def regression(row, final, cause):
    return cause is not None and (cause == "unproven" or (
        row["status"] in ("delivered", "read") and final["status"] == "failed"))


def unsettled(row, evidence, policy, now):
    """Whether the row is younger than --settle at `now` (microseconds)."""
    moments = [row["sent_at"]]
    if evidence is not None:
        moments += [s.time for s in evidence.sightings.values() if not s.approximate]
    return any(m is not None and now - m < policy.settle * SECOND for m in moments)


def counters(rows):
    """The five counters over all rows of a campaign."""
    return {
        "total": len(rows),
        "sent": sum(r["sent_at"] is not None or r["status"] in CHAIN for r in rows),
        "delivered": sum(r["delivered_at"] is not None or r["status"] in CHAIN[1:] for r in rows),
        "read": sum(r["read_at"] is not None or r["status"] == "read" for r in rows),
        "failed": sum(r["status"] == "failed" for r in rows),
    }


def consistent(count):
    return count["read"] <= count["delivered"] <= count["sent"] <= count["total"]


def rate(part, whole):
    """Per cent with two decimals, half away from zero."""
    return (20000 * part + whole) // (2 * whole) / 100 if whole else 0
