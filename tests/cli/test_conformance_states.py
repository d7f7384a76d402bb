"""The conformance archives give their states and counts, however they are cut and ordered."""

import gzip
import json
import random

import pytest

CASES = ("deployed", "design", "edges")
DAMAGED = {"deployed": 3, "design": 0, "edges": 3}


@pytest.fixture(params=CASES)
def case(request, case_dirs):
    directory, names = case_dirs(request.param)
    return request.param, directory, names


def orders(names):
    rng = random.Random("orders")
    yield names
    yield names[::-1]
    for _ in range(3):
        yield rng.sample(names, len(names))


def fold(replay, directory, arguments, report):
    return replay("--offline", "--status-codes", "app", "--states-out", "-", "--format", "json",
                  "-o", report, *arguments, cwd=directory)


def test_states_are_as_expected_in_any_order_with_any_jobs(case, replay, tmp_path):
    name, directory, names = case
    expected = (directory / "states.jsonl").read_bytes()
    for jobs, order in zip((1, 2, 3, 8, 1), orders(names)):
        done = fold(replay, directory, ["-j", jobs] + order, tmp_path / "report.json")
        assert done.status == DAMAGED[name], done
        assert done.out == expected, "differs with -j %d and %s" % (jobs, order)


def test_report_counts_the_input(case, replay, tmp_path):
    name, directory, names = case
    expected = json.loads((directory / "input.json").read_text())
    fold(replay, directory, names, tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    distinct = expected.pop("distinct")
    assert {key: report["input"][key] for key in expected} == expected
    assert report["messages"]["distinct"] == distinct
    assert report["input"]["archives"] == len(names)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_parts_folded_apart_and_merged_give_the_whole(case, replay, tmp_path, suffix):
    _, directory, names = case
    expected = (directory / "states.jsonl").read_bytes()
    rng = random.Random(suffix)
    shuffled = rng.sample(names, len(names))
    cut = len(names) // 3
    parts = []
    for number, members in enumerate((shuffled[:cut], shuffled[cut:2 * cut], shuffled[2 * cut:])):
        part = tmp_path / ("part-%d.%s" % (number, suffix))
        replay("--offline", "--states-out", part, "-o", tmp_path / "r", *members, cwd=directory)
        content = part.read_bytes()
        if suffix.endswith("gz"):
            content = gzip.decompress(content)
        assert content and set(content.splitlines()) != set(expected.splitlines())
        parts.append(part)
    rng.shuffle(parts)
    for extra in ([], [parts[0]]):
        arguments = [a for part in parts + extra for a in ("--states-in", part)]
        done = fold(replay, directory, arguments, tmp_path / "r")
        assert done.out == expected
        assert done.status == 0, done


def test_states_in_adds_to_archives(case, replay, tmp_path):
    _, directory, names = case
    expected = (directory / "states.jsonl").read_bytes()
    replay("--offline", "--states-out", tmp_path / "part", "-o", tmp_path / "r", *names[:2],
           cwd=directory)
    done = fold(replay, directory, ["--states-in", tmp_path / "part"] + names[1:], tmp_path / "r")
    assert done.out == expected
