"""Which rows a piece of evidence speaks for (docs/semantics.md 4).

An instance is a dict with id, instance_name, tenant_id and maybe evolution_instance_name; a
campaign one with id and tenant_id; a row one with id, campaign_id, instance_used_id and
whatsapp_message_id.
"""

from . import events

HYPHENLESS_FROM = 32


def _plain(name):
    return events.ascii_lower((name or "").strip(" \t\n\v\f\r"))


class Names:
    """Instance names of the whole database."""

    def __init__(self, instances):
        self.by_name = {}
        for instance in instances:
            for column in ("instance_name", "evolution_instance_name"):
                name = _plain(instance.get(column))
                if name:
                    self.by_name.setdefault(name, {})[instance["id"]] = instance

    def named(self, name):
        """The instances an evidence's instance name names, by id."""
        name = _plain(name)
        found = self.by_name.get(name)
        if not found and "-" in name and len(name.encode()) >= HYPHENLESS_FROM:
            found = self.by_name.get(name.replace("-", ""))
        return found or {}


class Matches:
    """The outcome for every evidence key.

    speaks    row id -> the keys that speak for it
    dropped   ids of rows some of whose evidence is ambiguous or mismatched
    outcome   key -> 'used', 'ambiguous', 'instance_mismatch' or 'not_campaign_message'
    """

    def __init__(self):
        self.speaks = {}
        self.dropped = set()
        self.outcome = {}

    def count(self, outcome):
        return sum(1 for found in self.outcome.values() if found == outcome)


def _may_speak(named, row, tenant_id):
    if row["instance_used_id"] is not None:
        return row["instance_used_id"] in named
    return any(i["tenant_id"] is None or i["tenant_id"] == tenant_id for i in named.values())


def match(keys, instances, campaigns, rows, any_instance=False):
    """Every evidence key -> Matches."""
    names = Names(instances)
    tenants = {campaign["id"]: campaign["tenant_id"] for campaign in campaigns}
    by_message = {}
    for row in rows:
        if row["whatsapp_message_id"]:
            by_message.setdefault(row["whatsapp_message_id"], []).append(row)
    matches = Matches()
    for key in keys:
        candidates = by_message.get(key[1], [])
        named = names.named(key[0])
        spoken_for = [row for row in candidates
                      if any_instance or _may_speak(named, row, tenants[row["campaign_id"]])]
        if not candidates:
            matches.outcome[key] = "not_campaign_message"
        elif len(spoken_for) == 1:
            matches.outcome[key] = "used"
            matches.speaks.setdefault(spoken_for[0]["id"], []).append(key)
        else:
            matches.outcome[key] = "ambiguous" if spoken_for else "instance_mismatch"
            matches.dropped.update(row["id"] for row in candidates)
    return matches
