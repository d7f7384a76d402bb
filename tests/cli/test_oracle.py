"""The oracle itself: it gives the conformance results, and deciding twice changes nothing."""

import json
import random

import pytest

from oracle import decide, fold


@pytest.mark.parametrize("case", ["deployed", "design", "edges"])
def test_it_reads_the_conformance_archives(case, case_dirs, monkeypatch):
    directory, names = case_dirs(case)
    monkeypatch.chdir(directory)
    states, counts = fold.fold(names)
    assert fold.lines(states) == (directory / "states.jsonl").read_text()
    expected = json.loads((directory / "input.json").read_text())
    assert expected.pop("distinct") == len(states)
    assert {name: counts[name] for name in expected} == expected


def draw(rng):
    """A row, evidence and a policy out of a small domain."""
    def moment():
        return rng.choice([None, 1000, 1050, 2000, 3000])

    row = {name: (moment() or 0) * decide.SECOND or None for name in decide.TIMES}
    row.update(status=rng.choice(decide.STATUSES + ("queued",)),
               error_message=rng.choice([None, "", "x"]),
               whatsapp_message_id=rng.choice(["m", "m", ""]))
    evidence = fold.Evidence()
    for milestone in ("sent", "delivered", "read", "failed"):
        if rng.random() < 0.4:
            error = rng.choice([None, "n\0l"]) if milestone == "failed" else None
            evidence.see(milestone, fold.Sighting(
                (moment() or 500) * decide.SECOND, rng.random() < 0.4, "a", 1, error))
    policy = decide.Policy(rng.random() < 0.5, rng.choice(["always", "unless-delivered"]),
                           rng.choice(["fill", "earliest"]), rng.choice([0, 60]),
                           rng.choice(["observed", "null"]))
    return row, evidence, policy, rng.random() < 0.1


def test_deciding_the_result_again_changes_nothing():
    rng = random.Random("twice")
    causes = set()
    for _ in range(20000):
        row, evidence, policy, dropped = draw(rng)
        final, cause = decide.decide(row, evidence, policy, dropped)
        causes.add(cause)
        assert decide.decide(final, evidence, policy, dropped) == (final, None), (row, policy)
        if cause is not None:
            assert decide.consistent(decide.counters([final])), row
    assert causes == set(decide.CAUSES) | {None}
