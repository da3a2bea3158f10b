"""Pickles are programs: a table comes out, and nothing in them runs."""

import io
import os
import pickle
import types

import numpy as np
import pytest

from workbench.data.pickled import read_pickled_table


class OldPandas(pickle._Pickler):
    """Pickles our stand-ins under the names that the classes had in pandas 1.2."""

    def save_global(self, obj, name=None):
        if not hasattr(obj, "of_pandas"):
            super().save_global(obj, name)
            return
        self.save(obj.of_pandas)
        self.save(obj.__name__)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)

    dispatch = pickle._Pickler.dispatch | {types.FunctionType: save_global}


class Index:
    of_pandas = "pandas.core.indexes.base"

    def __init__(self, **content):
        self.content = content

    def __reduce__(self):  # base.py of pandas 1.2.4, line 2157
        return _new_Index, (type(self), self.content), None


class RangeIndex(Index):
    of_pandas = "pandas.core.indexes.range"


def _new_Index(_kind, _content): ...


_new_Index.of_pandas = "pandas.core.indexes.base"


class BlockManager:
    of_pandas = "pandas.core.internals.managers"

    def __init__(self, axes, blocks):
        self.axes, self.blocks = axes, blocks

    def __getstate__(self):  # managers.py, line 261
        blocks = [{"values": values, "mgr_locs": where} for values, where in self.blocks]
        extra = {"0.14.1": {"axes": self.axes, "blocks": blocks}}
        return self.axes, [values for values, _ in self.blocks], [], extra


class DataFrame:
    of_pandas = "pandas.core.frame"

    def __init__(self, manager):
        self.manager = manager

    def __getstate__(self):  # generic.py, line 1950
        flags = {"allows_duplicate_labels": True}
        kept = {"_typ": "dataframe", "_metadata": [], "attrs": {}, "_flags": flags}
        return {"_mgr": self.manager, **kept}


def pickled(blocks, names, rows):
    """What `DataFrame.to_pickle(protocol=4)` of pandas 1.2 wrote for these blocks."""
    columns = Index(data=np.array(names, object), name=None)
    manager = BlockManager([columns, RangeIndex(name=None, start=0, stop=rows, step=1)], blocks)
    out = io.BytesIO()
    OldPandas(out, protocol=4).dump(DataFrame(manager))
    return out.getvalue()


def test_a_table_as_the_handbook_wrote_it_comes_out_column_by_column(tmp_path):
    times = np.array([["2018-04-01T00:00:31", "2018-04-01T00:02:10"]], "datetime64[ns]")
    blocks = [
        (np.array([[0, 1], [0, 1]]), slice(0, 6, 5)),  # TRANSACTION_ID, TX_FRAUD
        (times, slice(1, 2, 1)),
        (np.array([["596", "4961"], [31, 130]], object), np.array([2, 4])),
        (np.array([[57.16, 81.51]]), slice(3, 4, 1)),
    ]
    names = ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TX_AMOUNT", "SECONDS", "TX_FRAUD"]
    (tmp_path / "day.pkl").write_bytes(pickled(blocks, names, rows=2))
    table = read_pickled_table(tmp_path / "day.pkl")
    assert table.columns == names
    assert table.drop("TX_DATETIME").rows() == [(0, 596, 57.16, 31, 0), (1, 4961, 81.51, 130, 1)]
    assert table["TX_DATETIME"].cast(str).to_list()[0].startswith("2018-04-01 00:00:31")


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch ran",)),
        (eval, ("__import__('os').system('touch ran')",)),
        (getattr, ("os", "system")),
        (np.load, ("ran",)),
        (__import__, ("os",)),
    ],
    ids=["system", "eval", "getattr", "numpy.load", "import"],
)
def test_whatever_else_a_pickle_asks_for_is_refused_and_does_not_run(
    tmp_path, monkeypatch, function, arguments
):
    monkeypatch.chdir(tmp_path)
    for protocol in range(6):
        (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil(function, *arguments), protocol))
        with pytest.raises(ValueError, match=r"evil\.pkl is not a pickled table .* asks for"):
            read_pickled_table(tmp_path / "evil.pkl")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pkl"]


@pytest.mark.parametrize(
    "content", [b"", b"hello", pickle.dumps([1, 2]), pickle.dumps(np.zeros(3))]
)
def test_what_is_no_table_is_named(tmp_path, content):
    (tmp_path / "no.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=r"no\.pkl is not a pickled table"):
        read_pickled_table(tmp_path / "no.pkl")


def test_a_truncated_table_is_named(tmp_path):
    content = pickled([(np.array([[1.0, 2.0]]), slice(0, 1, 1))], ["a"], rows=2)
    for length in (1, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.pkl").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.pkl is not a pickled table"):
            read_pickled_table(tmp_path / "cut.pkl")
