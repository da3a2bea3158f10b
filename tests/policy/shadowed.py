"""What the tests of shadows share: requests, a policy made of one function, an exact comparison."""

from dataclasses import dataclass

import numpy as np


def requests(n=200, m=6):
    rng = np.random.default_rng(3)
    return {
        "request": np.repeat(np.arange(n) + 100, m),
        "user": np.repeat(np.arange(n) // 3, m),
        "item": np.tile(np.arange(m), n),
        "score": rng.random(n * m),
        "words": np.array([["a"], ["b"]] * (n * m // 2) + [None], object)[: n * m],
    }


@dataclass(frozen=True)
class Does:
    """A policy made of one function."""

    what: object
    name: str = "next@1"

    def act(self, rows):
        return self.what(rows)


def raises(rows):
    raise KeyError("feature 'age' is gone")


def assert_same_columns(first, second):
    for name in second:
        assert first[name].dtype.kind == second[name].dtype.kind
        np.testing.assert_array_equal(first[name], second[name])
