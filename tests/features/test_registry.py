"""The registry keeps every version, knows who uses it, and is never half written."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from workbench import features
from workbench.features.registry import Registry, from_definition

sys.path.insert(0, str(Path(__file__).parent))
from payment_histories import EVERY

MONTH = features.mean("amount", of="payment", per="user", days=30, name="usual")
SHORTER = replace(MONTH, window=timedelta(days=7))


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(tmp_path / "kept" / "features.json")


def test_a_changed_definition_stands_beside_the_old_one(registry):
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    registry.used_by("fraud@1", [MONTH])
    registry.add(SHORTER, owner="fraud", meaning="usual amount of a week, dollars")
    table = registry.list()
    assert table["version"].to_list() == [MONTH.version, SHORTER.version]
    assert table["models"].to_list() == [["fraud@1"], []]
    assert json.loads(table["definition"][0]) == MONTH.definition
    assert registry.get("usual") == SHORTER
    assert registry.get("usual", MONTH.version) == MONTH
    assert registry.get("usual").name == "usual"


def test_adding_again_changes_only_owner_and_meaning(registry):
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    before = registry.path.read_text()
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    assert registry.path.read_text() == before
    registry.add(MONTH, owner="payments", meaning="usual amount, dollars")
    assert registry.list()["owner"].to_list() == ["payments"]
    changed = set(registry.path.read_text().splitlines()) ^ set(before.splitlines())
    assert len(changed) == 2  # one line of the diff taken out, one put in


def test_the_same_definition_has_one_name(registry):
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    with pytest.raises(ValueError, match="'avg_amt' is 'usual' of fraud, word for word"):
        registry.add(replace(MONTH, name="avg_amt"), owner="risk", meaning="average")


def test_a_model_uses_a_version_and_keeps_it_from_being_retired(registry):
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    with pytest.raises(ValueError, match=f"in version {SHORTER.version}, the registry has"):
        registry.used_by("fraud@2", [SHORTER])
    registry.used_by("fraud@2", [MONTH])
    with pytest.raises(ValueError, match="is used by fraud@2"):
        registry.retire("usual")
    registry.used_by("fraud@2", [])
    registry.retire("usual")
    assert registry.list()["retired"].to_list() == [True]
    with pytest.raises(ValueError, match="is retired"):
        registry.used_by("fraud@3", [MONTH])
    assert registry.get("usual") == MONTH


@pytest.mark.parametrize(("owner", "meaning"), [("", "x"), ("x", " "), (None, "x")])
def test_owner_and_meaning_must_be_said(registry, owner, meaning):
    with pytest.raises(ValueError, match="must say something"):
        registry.add(MONTH, owner=owner, meaning=meaning)


def test_what_is_not_there_is_an_error(registry):
    assert registry.list().is_empty()
    assert repr(registry) == "no features yet in features.json"
    with pytest.raises(ValueError, match="no feature 'usual'"):
        registry.get("usual")
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    with pytest.raises(ValueError, match="no version 'ffff'"):
        registry.retire("usual", "ffff")


def test_a_damaged_file_is_named_and_left_alone(registry):
    registry.add(MONTH, owner="fraud", meaning="usual amount, dollars")
    registry.path.write_text(registry.path.read_text()[:-20])
    damaged = registry.path.read_text()
    with pytest.raises(ValueError, match="is no registry of features"):
        registry.add(SHORTER, owner="fraud", meaning="usual amount, dollars")
    assert registry.path.read_text() == damaged


def test_every_definition_comes_back_as_it_was(registry):
    mean = features.mean("amount", of="payment", per="user", days=30)
    more = [
        features.formula("amount / usual", usual=mean, name="over_usual"),
        features.ratio(EVERY[0], mean, name="trend"),
        features.calendar("hour", tz="Europe/Zurich"),
    ]
    for feature in [*EVERY, *more]:
        registry.add(feature, owner="all", meaning="a test")
        again = registry.get(feature.name)
        assert again == feature
        assert (again.name, again.version) == (feature.name, feature.version)
        assert from_definition(feature.definition).version == feature.version
    assert max(map(len, repr(registry).splitlines())) <= 90


def add_some(path: Path, owner: int) -> None:
    for days in range(1, 11):
        feature = features.count("payment", per="user", days=days, hours=owner)
        Registry(path).add(feature, owner=str(owner), meaning="so many")


def test_several_processes_lose_nothing(tmp_path):
    path = tmp_path / "features.json"
    with ProcessPoolExecutor(3) as pool:
        [*pool.map(add_some, [path] * 3, range(3))]
    assert len(Registry(path).list()) == 30
