"""A whole run: tables and evidence -> rows, counters and the report's counts."""

import time as clock

from . import decide, fold, matching


class Tables:
    """The tables that count, each a list of dicts.

    instances  id, instance_name, evolution_instance_name, tenant_id
    campaigns  id, tenant_id, and stored total, sent, delivered, read, failed
    rows       id, campaign_id, instance_used_id, whatsapp_message_id and decide.VALUES, the
               times in microseconds
    """

    def __init__(self, instances, campaigns, rows):
        self.instances = instances
        self.campaigns = campaigns
        self.rows = rows


class Result:
    """What a run would leave behind and report."""

    def __init__(self):
        self.rows = {}          # row id -> final row
        self.cause = {}         # row id -> cause, corrections only
        self.counters = {}      # campaign id -> recomputed counters, campaigns in scope
        self.left_alone = set()  # campaigns whose counters would contradict each other
        self.messages = {}
        self.causes = dict.fromkeys(decide.CAUSES, 0)


def _evidence_for(row, matches, states):
    keys = matches.speaks.get(row["id"])
    if not keys:
        return None
    merged = fold.Evidence()
    for key in keys:
        merged.merge(states[key])
    return merged


WRITTEN = ("updated", "updated_without_evidence", "regressions")
ROW_COUNTS = ("requeued", "deferred", "already_processed") + WRITTEN


def _decide_campaign(rows, context):
    """Final rows, causes, counts and counters of one campaign."""
    matches, states, policy, now = context
    finals, causes, tally = {}, {}, dict.fromkeys(ROW_COUNTS, 0)
    for row in rows:
        evidence = _evidence_for(row, matches, states)
        final, cause = decide.decide(row, evidence, policy, row["id"] in matches.dropped)
        requeued = row["status"] == "pending"
        deferred = cause is not None and decide.unsettled(row, evidence, policy, now)
        if deferred:
            tally["deferred"] += 1
            final, cause = dict(row), None
        finals[row["id"]] = final
        if cause is not None:
            causes[row["id"]] = cause
            tally["updated"] += 1
            tally["updated_without_evidence"] += evidence is None
            tally["regressions"] += decide.regression(row, final, cause)
        elif evidence is not None and requeued:
            tally["requeued"] += 1
        elif evidence is not None and not deferred:
            tally["already_processed"] += 1
    return finals, causes, tally, decide.counters(list(finals.values()))


def run(tables, states, policy=None, any_instance=False, scope=None, now=None):
    """scope: None for the campaigns the evidence touches, 'all', or a set of campaign ids."""
    policy = policy or decide.Policy()
    now = int((clock.time() if now is None else now) * decide.SECOND)
    matches = matching.match(states, tables.instances, tables.campaigns, tables.rows, any_instance)
    result = Result()
    if scope is None:
        scope = {r["campaign_id"] for r in tables.rows if r["id"] in matches.speaks}
    total = dict.fromkeys(ROW_COUNTS, 0)
    for campaign in tables.campaigns:
        rows = [r for r in tables.rows if r["campaign_id"] == campaign["id"]]
        if scope != "all" and campaign["id"] not in scope:
            result.rows.update((r["id"], dict(r)) for r in rows)
            continue
        finals, causes, tally, count = _decide_campaign(rows, (matches, states, policy, now))
        sound = decide.consistent(count)
        for name, amount in tally.items():
            total[name] += amount if sound or name not in WRITTEN else 0
        if not sound:
            result.left_alone.add(campaign["id"])
            result.rows.update((r["id"], dict(r)) for r in rows)
            continue
        result.rows.update(finals)
        result.cause.update(causes)
        result.counters[campaign["id"]] = count
    for cause in result.cause.values():
        result.causes[cause] += 1
    result.messages = dict(total, distinct=len(states), matched=len(matches.speaks),
                           **{name: matches.count(name) for name in
                              ("used", "not_campaign_message", "ambiguous", "instance_mismatch")})
    return result
