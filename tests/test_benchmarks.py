"""The harness does its sums right, every area runs, and what is committed is whole."""

import gc
import json
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from time import sleep

import pytest

from workbench.bench import bench, find_benchmarks
from workbench.cli import main

ROOT = Path(__file__).resolve().parent.parent
find_benchmarks(ROOT)  # puts them on the path

from benchmarks import AREAS, harness, import_time, journal, log, policy  # noqa: E402
from benchmarks.harness import Row, converter, is_met, machine, measure, save, table  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def _quick_garbage_collection():
    gc.collect()
    gc.freeze()  # a session's worth of objects need not be walked before every call
    yield
    gc.unfreeze()


def test_ratios_are_medians_of_rounds_not_ratios_of_medians(monkeypatch):
    # after the warm-up, three rounds of (ours, peer, limit) seconds
    clock = iter([9, 9, 9, 2, 1, 1, 3, 6, 1, 8, 4, 1])
    monkeypatch.setattr(harness, "seconds", lambda call: next(clock))
    row = some_row(repeats=3, target="ratio_to_limit <= 3")
    assert (row.ours, row.peer, row.limit) == (3, 4, 1)  # of 2 3 8, of 1 6 4, of 1 1 1
    assert (row.ratio_to_peer, row.ratio_to_limit) == (2, 3)  # of 2 .5 2, of 2 3 8
    assert row.met is True


def test_a_rate_is_count_over_seconds_and_its_ratio_still_compares_times(monkeypatch):
    monkeypatch.setattr(harness, "seconds", lambda call: {"ours": 2.0, "peer": 4.0}.get(call, 1.0))
    row = some_row(ours="ours", peer="peer", unit="events/s", count=100, target="ours >= 60")
    assert (row.ours, row.peer, row.limit) == (50, 25, 100)
    assert (row.ratio_to_peer, row.ratio_to_limit, row.met) == (0.5, 2, False)


def test_the_three_take_turns():
    order = []
    some_row(
        ours=lambda: order.append("A"),
        peer=lambda: order.append("B"),
        limit=lambda: order.append("C"),
    )
    assert "".join(order) == "ABC" * 3  # a warm-up and two rounds


def test_set_up_and_clearing_up_are_not_timed():
    seen = []

    def slow_around():
        sleep(0.2)
        yield lambda: seen.append("run")
        sleep(0.2)
        seen.append("cleared")

    assert harness.seconds(slow_around) < 0.1
    assert seen == ["run", "cleared"]


def test_a_contender_that_fails_is_cleared_up_and_its_error_is_raised():
    seen = []

    def failing():
        try:
            yield lambda: 1 / 0
        finally:
            seen.append("cleared")

    with pytest.raises(ZeroDivisionError):
        harness.seconds(failing)
    assert seen == ["cleared"]


def test_quick_rows_are_not_judged_and_not_kept(tmp_path):
    row = some_row(quick=True, target="ours <= 1000")
    assert row.met is None
    assert "not counted" in table([row])
    with pytest.raises(ValueError, match="quick rows are not kept"):
        save([row], tmp_path)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: some_row(repeats=0), "at least 1, got 0"),
        (lambda: converter("weeks", 1), "unit must be a time"),
        (lambda: is_met("quick enough", {}), "target must read like"),
        (lambda: table([]), "no rows"),
        (
            lambda: bench("nothing"),
            "no area is called 'nothing'; there are log, checks, import, policy",
        ),
        (lambda: find_benchmarks(Path("/nowhere")), "in the repository, not in the installed"),
    ],
)
def test_what_makes_no_sense_is_an_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_full_run_is_kept_with_its_machine_and_no_names(tmp_path):
    path = save([some_row()], tmp_path)
    assert [set(row) for row in json.loads(path.read_text())] == [COLUMNS]
    kept = json.loads((tmp_path / "machines.json").read_text())["demo"]
    assert kept == machine()
    assert {"cores", "memory_gib", "python", "polars", "date"} <= set(kept)
    assert not any("/" in str(value) for value in kept.values())


def test_the_table_fits_90_columns_but_for_its_targets():
    lines = table([some_row(target="ours <= 1"), some_row()]).splitlines()
    assert "ours <= 1: met" in lines[2]
    assert all(len(line) <= 100 for line in lines)


COLUMNS = {field.name for field in fields(Row)}
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_committed_results_are_whole_and_say_what_they_show(path):
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert rows
    assert path.stem in AREAS
    for row in rows:
        assert set(row) == COLUMNS
        assert row["area"] == path.stem
        assert row["quick"] is False
        assert all(row[name] > 0 for name in ("ours", "peer", "limit", "ratio_to_peer"))
        assert row["met"] == (row["target"] and is_met(row["target"], row))
    assert path.stem in json.loads((ROOT / "benchmarks" / "machines.json").read_text("utf-8"))


def test_every_area_has_its_results_committed():
    assert {path.stem for path in RESULTS} == set(AREAS)


def test_the_policy_stack_in_polars_answers_as_ours_does():
    (batch,) = policy.columns(8, 8)
    mine = policy.ours().act(batch)
    theirs = policy.in_polars(policy.pl.DataFrame(batch))
    assert len(mine["request"]) == theirs.height == 8 * policy.SLATE
    for request in range(8):
        chosen = mine["request"] == request
        score = "score" if (mine["variant"][chosen] == "new").all() else "popularity"
        rows = batch["request"] == request
        best = batch["item"][rows][batch[score][rows].argsort()[::-1][: policy.SLATE]]
        assert mine["item"][chosen].tolist() == best.tolist()


@pytest.mark.parametrize("area", [import_time, journal], ids=lambda area: area.__name__)
def test_an_area_runs_quickly(area, monkeypatch):
    one_round = partial(measure, repeats=1)
    monkeypatch.setattr(area, "measure", lambda *words, repeats, **rest: one_round(*words, **rest))
    rows = area.run(quick=True)
    assert {row.quick for row in rows} == {True}
    assert all(row.ours > 0 for row in rows)


def test_the_command_prints_exactly_a_json_list(capsys):
    assert main(["bench", "policy", "--quick", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["met"] for row in rows] == [None, None]
    assert set(rows[0]) == COLUMNS


def test_the_log_area_runs_on_a_tiny_shop(tmp_path):
    shop = log.Shop(tmp_path, 1_000)
    rows = [log.append(shop, 2, log.CODEC, quick=True), *log.scans(shop, quick=True)]
    assert [row.unit for row in rows] == ["s"] * 3
    json.dumps([asdict(row) for row in rows], allow_nan=False)


def some_row(**changes) -> Row:
    def nothing():
        pass

    given = {"ours": nothing, "peer": nothing, "limit": nothing, "peer_name": "x", "repeats": 2}
    return measure("demo", "nothing", **(given | changes))
