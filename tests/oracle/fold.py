"""Events -> evidence (docs/semantics.md 3), and the states lines of docs/interface.md."""

import json
import os
import time as clock

from . import archive, events, jsontext, records, times

GROWING = 600


class Sighting:
    """The least sighting of one milestone."""

    def __init__(self, time, approximate, place, record, error):
        self.time = time
        self.approximate = approximate
        self.place = place
        self.record = record
        self.error = error

    def order(self):
        error = b"" if self.error is None else self.error.encode()
        return (self.approximate, self.time, os.fsencode(self.place), self.record,
                self.error is not None, error)


class Evidence:
    """What is known about one message: the least sighting of each milestone."""

    def __init__(self):
        self.pending = False
        self.sightings = {}

    def see(self, milestone, sighting):
        held = self.sightings.get(milestone)
        if held is None or sighting.order() < held.order():
            self.sightings[milestone] = sighting

    def merge(self, other):
        self.pending = self.pending or other.pending
        for milestone, sighting in other.sightings.items():
            self.see(milestone, sighting)

    def proves(self, milestone):
        """Read proves delivered, delivered proves sent."""
        chain = ("sent", "delivered", "read")
        if milestone in chain:
            return any(m in self.sightings for m in chain[chain.index(milestone):])
        return milestone in self.sightings


class States(dict):
    """Evidence by (instance, message id)."""

    def add_event(self, event):
        evidence = self.setdefault((event.instance, event.message_id), Evidence())
        if event.status == "pending":
            evidence.pending = True
        else:
            evidence.see(event.status, Sighting(event.time, event.approximate, event.archive,
                                                event.record, event.error))

    def merge(self, other):
        for key, evidence in other.items():
            self.setdefault(key, Evidence()).merge(evidence)

    def sorted_items(self):
        return sorted(self.items(), key=lambda item: (item[0][0].encode(), item[0][1].encode()))


def fold_bytes(states, counts, data, name, archive_time, options, max_record=records.DEFAULT_MAX):
    """Adds the events of an archive's inflated bytes."""
    for record in records.split(data, max_record):
        for event in events.events(record, name, archive_time, counts, options):
            states.add_event(event)


def fold(paths, options=None, max_record=records.DEFAULT_MAX, now=None):
    """Archives on disk -> (states, counts)."""
    options = options or events.Options()
    now = clock.time() if now is None else now
    states, counts = States(), events.Counts()
    for name in archive.expand(paths):
        with open(name, "rb") as handle:
            found = archive.contents(handle.read())
        modified = os.stat(name)
        growing = found.damage == "truncated" and now - modified.st_mtime < GROWING
        if found.damage and not growing:
            counts.add("archives_damaged")
        fold_bytes(states, counts, found.data, name, modified.st_mtime_ns // 1000, options,
                   max_record)
    return states, counts


def winner(evidence, failed_wins):
    """The final status by evidence alone."""
    failed = evidence.proves("failed")
    if failed and not (failed_wins == "unless-delivered" and evidence.proves("delivered")):
        return "failed"
    for milestone in ("read", "delivered", "sent"):
        if evidence.proves(milestone):
            return milestone
    return "pending"


def line(key, evidence, failed_wins="always"):
    """One states line, without its newline."""
    seen = [m for m in events.MILESTONES if m in evidence.sightings]
    out = {"instance": key[0], "message_id": key[1], "status": winner(evidence, failed_wins)}
    for milestone in events.MILESTONES:
        sighting = evidence.sightings.get(milestone)
        out[milestone + "_at"] = times.show(sighting.time) if sighting else None
    failed = evidence.sightings.get("failed")
    out["error"] = failed.error if failed else None
    out["seen"] = seen
    out["approximate"] = [m for m in seen if evidence.sightings[m].approximate]
    out["evidence"] = {m: [evidence.sightings[m].place, evidence.sightings[m].record] for m in seen}
    return jsontext.compact(out)


def lines(states, failed_wins="always"):
    """The whole states file as text."""
    return "".join(line(k, e, failed_wins) + "\n" for k, e in states.sorted_items())


def parse_lines(text):
    """A states file back into states."""
    states = States()
    for row in text.splitlines():
        fields = json.loads(row)
        evidence = states.setdefault((fields["instance"], fields["message_id"]), Evidence())
        if not fields["seen"]:
            evidence.pending = True
        for milestone in fields["seen"]:
            place, record = fields["evidence"][milestone]
            evidence.see(milestone, Sighting(
                times.rfc3339(fields[milestone + "_at"], "UTC", False),
                milestone in fields["approximate"], place, record,
                fields["error"] if milestone == "failed" else None))
    return states
