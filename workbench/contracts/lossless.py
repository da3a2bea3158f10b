"""Casts that lose nothing, and the rules that find the values for which they would.

Tables come with narrow integers, categoricals, nanoseconds and decimals; the log knows five types
and ids. A cast is silent only if casting back would give the same value.
"""

import polars as pl

__all__ = ["POLARS_TYPES", "lossless", "type_word"]

POLARS_TYPES = {
    "time": pl.Datetime("us", "UTC"),
    "word": pl.String,
    "float": pl.Float64,
    "int": pl.Int64,
    "bool": pl.Boolean,
}
UNKEEPABLE = (pl.Struct, pl.Duration, pl.Time, pl.Object, pl.UInt64, pl.Int128, pl.Categorical)

Rule = tuple[str, pl.Expr]  # what is wrong, in words; an expression that is true where it is


def lossless(name: str, dtype: pl.DataType, wanted: str, kind: str) -> tuple[pl.Expr, list[Rule]]:
    """Return the cast of a column to the log's type, and rules for values it would change.

    Parameters
    ----------
    name, dtype : str, DataType
        The column as it came.
    wanted : str
        A word of `POLARS_TYPES`, "id" or "other".
    kind : str
        For errors.

    Raises
    ------
    ValueError
        If an id is neither whole number nor text, or the log cannot keep such a type at all.

    Examples
    --------
    >>> cast, rules = lossless("position", pl.Float64(), "int", "click")
    >>> frame = pl.DataFrame({"position": [1.0, 1.5]})
    >>> frame.select(cast).to_series().to_list(), rules[0][0]
    ([1, 1], 'not exact as Int64')
    """
    value, word = pl.col(name), type_word(dtype)
    if wanted == "id":
        if word not in ("int", "word"):
            raise ValueError(
                f"{kind}.{name} is {dtype}, and an id is a whole number or text (Int64 or String); "
                f"workbench.rename(table, {name}=…) makes whole floats whole numbers again"
            )
        wanted = word
    if wanted == "other":
        return _kept(value, dtype, f"{kind}.{name}"), []

    target = POLARS_TYPES[wanted]
    cast = value.cast(target, strict=False)
    if wanted == word == "time":
        cast = value.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        if dtype.time_unit != "ns":
            return cast, []
        return cast, [("finer than a microsecond", value.dt.timestamp("ns") % 1000 != 0)]
    if word == wanted:
        if dtype not in (pl.UInt64, pl.Int128, pl.UInt128):
            return cast, []
        return cast, [("too large for Int64", value.is_not_null() & cast.is_null())]
    is_number = dtype.is_numeric() or dtype == pl.Boolean
    if wanted in ("float", "int") and is_number and (wanted, word) != ("int", "bool"):
        back = cast.cast(dtype, strict=False)
        exact = (back == value) & ~cast.is_nan() if wanted == "float" else back == value
        return cast, [(f"not exact as {target}", value.is_not_null() & ~exact.fill_null(False))]
    return pl.lit(None, target), [(f"{dtype}, not {target}", value.is_not_null())]


def type_word(dtype: pl.DataType) -> str:
    """Return which of the words a Polars type is.

    >>> type_word(pl.UInt8()), type_word(pl.List(pl.Int64))
    ('int', 'other')
    """
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "word"
    return {pl.Boolean: "bool", pl.Datetime: "time"}.get(dtype.base_type(), "other")


def _kept(value: pl.Expr, dtype: pl.DataType, where: str) -> pl.Expr:
    inner = dtype
    while inner in (pl.List, pl.Array):
        inner = inner.inner
    is_naive = inner == pl.Datetime and inner.time_zone is None
    if inner in UNKEEPABLE or is_naive:
        raise ValueError(
            f"{where} is {dtype}, which the log cannot keep: make it numbers, words, times with a "
            "zone, or lists of them (a duration as seconds, a struct as one column per field)"
        )
    return value.arr.to_list() if dtype == pl.Array else value
