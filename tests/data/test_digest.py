"""The digest of a table: the same for the same content, another for any other."""

from datetime import datetime

import polars as pl
import pytest

from workbench.data.digest import table_digest

TABLE = pl.DataFrame(
    {
        "item": [1, 2, None],
        "price": [1.5, None, 2.5],
        "name": ["ä", None, ""],
        "time": [datetime(2026, 3, 1, 12, 0, 0, 5)] * 3,
        "live": [True, False, None],
    }
)


def test_widths_units_and_file_formats_do_not_matter(tmp_path):
    narrow = TABLE.cast({"item": pl.Int8, "time": pl.Datetime("ns")})
    assert table_digest(narrow) == table_digest(TABLE)
    TABLE.write_parquet(tmp_path / "table.parquet")
    assert table_digest(pl.read_parquet(tmp_path / "table.parquet")) == table_digest(TABLE)
    assert table_digest(pl.concat([TABLE.head(1), TABLE.tail(2)])) == table_digest(TABLE)


@pytest.mark.parametrize(
    "other",
    [
        TABLE.reverse(),
        TABLE.rename({"item": "items"}),
        TABLE.select(reversed(TABLE.columns)),
        TABLE.head(2),
        TABLE.with_columns(pl.col("item").fill_null(0)),
        TABLE.with_columns(pl.col("name").fill_null("")),
        TABLE.with_columns(name=pl.Series(["", "ä", None])),
        TABLE.with_columns(pl.col("price") + 1e-9),
    ],
)
def test_any_other_content_is_another_digest(other):
    assert table_digest(other) != table_digest(TABLE)


def test_the_digest_is_fixed_for_ever():
    assert table_digest(pl.DataFrame({"item": [1, 2], "name": ["a", "b"]})) == (
        "08e6b5000678f19009a9d25e77c6be07a2ac979196ed7425889626dc5bf29f12"
    )


def test_what_is_no_plain_column_is_named():
    with pytest.raises(ValueError, match="column parts is List"):
        table_digest(pl.DataFrame({"parts": [[1]]}))
