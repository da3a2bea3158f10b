import re
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import assign as module
from workbench.assign import assign, fingerprint, uniform

VECTORS = [
    ("", (0,), 0.28856539582605223),
    ("", (1,), 0.13551123212496208),
    ("a", (1,), 0.9764835171635416),
    ("a", (-1,), 0.46778209750217536),
    ("a", (2**63 - 1,), 0.7654612466882214),
    ("a", ("1",), 0.5328905058901504),
    ("a", ("",), 0.46497972075741956),
    ("a", ("Zürich",), 0.9557779927425865),
    ("a", (1, 2), 0.1826693119738534),
    ("a", (2, 1), 0.7593060066233571),
    ("a", (1, "x"), 0.3703302531781626),
]
ARMS = {"old": 0.7, "new": 0.2, "bold": 0.1}


@pytest.mark.parametrize(("salt", "ids", "value"), VECTORS)
def test_published_vectors_never_change(salt, ids, value):
    assert uniform(salt, *ids).tolist() == [value]


def test_the_docstring_publishes_these_vectors():
    published = re.findall(r"  (0\.\d{10,})$", module.__doc__, re.MULTILINE)
    assert [float(value) for value in published] == [value for _, _, value in VECTORS]


def by_definition(salt, *ids):
    """Splitmix64 over BLAKE2b in plain Python integers, written from the definition alone."""

    def digest(text):
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    state = digest(salt)
    for each in ids:
        word = digest(each) if isinstance(each, str) else each % 2**64
        z = ((state ^ word) + 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        state = z ^ (z >> 31)
    return (state >> 11) / 2**53


@given(st.text(), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.text())
def test_every_value_follows_from_the_definition(salt, integers, text):
    expected = [by_definition(salt, each, text) for each in integers]
    assert uniform(salt, np.array(integers, np.int64), text).tolist() == expected


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, object])
def test_integers_of_any_width_count_by_value(dtype):
    assert (
        uniform("a", np.array([-7, 0, 100], dtype)).tolist() == uniform("a", [-7, 0, 100]).tolist()
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64, ">i8"])
def test_unsigned_and_foreign_byte_order_count_by_value(dtype):
    assert uniform("a", np.array([7, 100], dtype)).tolist() == uniform("a", [7, 100]).tolist()


def test_text_is_the_same_in_every_container():
    expected = uniform("a", "Zürich")[0]
    containers = [
        np.array(["Zürich", "longer than that"]),
        np.array(["Zürich", "x"], object),
        np.array(["Zürich".encode(), b"x"], object),
        np.array(["Zürich".encode()]),
        np.array(["Zürich"], np.dtypes.StringDType()),
        ["Zürich"],
    ]
    assert {uniform("a", each)[0] for each in containers} == {expected}


@pytest.mark.parametrize(
    "ids",
    [[1.0], [True], [None], np.array(["a", None], object), np.array([2**64], object), [np.nan]],
)
def test_what_is_no_id_is_an_error(ids):
    with pytest.raises(ValueError, match="ids must"):
        uniform("a", ids)


def test_no_column_is_an_error():
    with pytest.raises(ValueError, match="at least one column"):
        uniform("a")


def test_columns_broadcast():
    table = uniform("a", np.arange(3)[:, None], np.arange(4))
    assert table.shape == (3, 4)
    assert table[2, 1] == uniform("a", 2, 1)[0]


def test_inputs_stay_as_they_are():
    ids = np.arange(5)
    ids.flags.writeable = False
    uniform("a", ids)
    assert ids.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "ids",
    [np.arange(200_000), np.arange(200_000) * 1_024, np.arange(20_000).astype(str)],
    ids=["successive", "multiples of 1024", "text"],
)
def test_values_are_uniform_and_neighbours_independent(ids):
    values, n = uniform("home page test", ids), len(ids)
    counts = np.bincount((values * 100).astype(int), minlength=100)
    assert ((counts - n / 100) ** 2 / (n / 100)).sum() < 150  # chi2 with 99 degrees: p = 0.0007
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4 / np.sqrt(n)
    assert values.min() >= 0
    assert values.max() < 1


def test_salts_are_independent():
    ids = np.arange(100_000)
    one, other, empty = (uniform(salt, ids) for salt in ("test 1", "test 2", ""))
    for a, b in ((one, other), (one, empty)):
        cells = np.histogram2d(a, b, bins=10)[0]
        assert ((cells - 1_000) ** 2 / 1_000).sum() < 155  # chi2 with 99 degrees


def test_two_columns_do_not_cancel():
    n = 300
    values = uniform("a", np.arange(n)[:, None], np.arange(n)).ravel()
    assert len(np.unique(values)) == n * n
    assert len(np.unique(fingerprint("a", np.arange(10**6)))) == 10**6


def test_shares_are_kept_without_modulo_bias():
    shares = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    arms = assign(np.arange(300_000), shares, salt="thirds")
    counts = np.unique(arms, return_counts=True)[1]
    assert np.abs(counts - 100_000).max() < 4 * np.sqrt(300_000 * 2 / 9)


def test_a_tiny_share_is_hit_as_often_as_it_says():
    arms = assign(np.arange(1_000_000), {"most": 0.9999, "few": 0.0001}, salt="canary")
    assert 60 < (arms == "few").sum() < 140


def test_the_order_of_the_arms_does_not_matter():
    units = np.arange(1_000)
    other = dict(reversed(ARMS.items()))
    assert (assign(units, ARMS, salt="x") == assign(units, other, salt="x")).all()


def test_a_ramp_only_moves_units_into_arms_that_grow():
    units = np.arange(50_000)
    before = assign(units, {"old": 0.98, "new": 0.01, "bold": 0.01}, salt="ramp")
    after = assign(units, {"old": 0.80, "new": 0.10, "bold": 0.10}, salt="ramp")
    moved = before != after
    assert set(before[moved]) == {"old"}
    assert 0.17 < moved.mean() < 0.19


def test_one_arm_takes_all_and_an_arm_without_share_none():
    assert set(assign(np.arange(50), {"only": 1.0}, salt="x")) == {"only"}
    assert set(assign(np.arange(500), {"on": 1.0, "off": 0.0}, salt="x")) == {"on"}
    assert assign(np.array([], np.int64), ARMS, salt="x").shape == (0,)


@pytest.mark.parametrize("shares", [{"a": 0.5}, {"a": 1.5, "b": -0.5}, {}, {"a": np.nan, "b": 1}])
def test_shares_that_are_none_are_an_error(shares):
    with pytest.raises(ValueError, match="shares must be in"):
        assign([1], shares, salt="x")


SHARES = {
    "A": {"old": 0.5, "new": 0.5},
    "B": {"old": 0.9, "new": 0.1},
    "C": {"old": 0.99, "new": 0.01},
    "D": {"a": 0.2, "b": 0.3, "c": 0.5},
}
ARM_VECTORS = [
    ("home page test", 0, "old old old b"),
    ("home page test", 1, "new old old c"),
    ("home page test", 6, "new new old c"),
    ("home page test", 62, "new new new c"),
    ("home page test", -1, "old old old a"),
    ("home page test", 2**63 - 1, "new new new b"),
    ("home page test", "1", "new old old a"),
    ("home page test", "Zürich", "new new old b"),
    ("", 1, "old old old c"),
    ("ramp", "bob", "new new new c"),
]


@pytest.mark.parametrize(("salt", "unit", "arms"), ARM_VECTORS)
def test_published_vectors_of_arms_never_change(salt, unit, arms):
    assert [assign([unit], shares, salt=salt)[0] for shares in SHARES.values()] == arms.split()


def test_the_docstring_publishes_these_vectors_of_arms():
    rows = re.findall(r'^    "(.*?)" +(\S.*?)  +((?:[a-z]+ +){3}[abc])$', module.__doc__, re.M)
    published = [(salt, eval(unit), " ".join(arms.split())) for salt, unit, arms in rows]
    assert published == ARM_VECTORS


@pytest.mark.parametrize("arms", [2, 3])
def test_a_ramp_to_all_never_moves_anybody_out_of_treatment(arms):
    users, before = np.arange(50_000), np.zeros(50_000, bool)
    for share in (0.01, 0.05, 0.1, 0.5, 1.0):
        rest = {f"old {i}": (1 - share) / (arms - 1) for i in range(arms - 1)}
        inside = assign(users, rest | {"new": share}, salt="ramp") == "new"
        assert (inside | ~before).all()
        assert abs(inside.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(users)) + 1e-12
        before = inside
    assert before.all()
