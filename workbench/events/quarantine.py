"""Rows that may not enter the log, kept word for word until somebody repairs them.

A quarantined row is itself a row of the log, of kind `quarantine`: why it was refused, and its
content as JSON with the types, from which `restore` makes the same row again, bit for bit.
"""

import ast
import json
from hashlib import blake2b

import polars as pl

__all__ = ["content_ids", "quarantined", "restore"]

EPOCH = pl.lit(0).cast(pl.Datetime("us", "UTC"))


def quarantined(bad: pl.DataFrame, kind: str, event_type: pl.DataType) -> pl.DataFrame:
    """Return bad rows (as `check` gives them, with `reason`) in the form the log keeps.

    Columns: event, time, source_kind, reason, content. `event` is a hash of kind and content, so
    the same bad row is the same event however often it comes. `time` is the row's own if it has
    one, 1970 if not.
    """
    rows = bad.drop("reason")
    dtypes = {name: repr(dtype) for name, dtype in rows.schema.items()}
    values = rows.select(
        pl.struct(_as_text(rows[name]) for name in rows.columns).struct.json_encode()
    )
    prefix, suffix = f'{{"types":{json.dumps(dtypes)},"values":', "}"
    content = (prefix + values.to_series() + suffix).alias("content")
    time = pl.col("time").dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    in_range = time.dt.year().is_between(1, 9999)
    return bad.select(
        event=content_ids(kind, content, event_type),
        time=pl.when(in_range).then(time).otherwise(EPOCH),
        source_kind=pl.lit(kind),
        reason="reason",
        content=content,
    )


def content_ids(kind: str, content: pl.Series, event_type: pl.DataType) -> pl.Series:
    """Return one id per text, shape (n,), of the log's id type: the same for equal texts."""
    digests = [blake2b(f"{kind}\n{text}".encode(), digest_size=8).digest() for text in content]
    if event_type == pl.String:
        return pl.Series([f"{kind}:{digest.hex()}" for digest in digests], dtype=pl.String)
    whole = [int.from_bytes(digest, "big") >> 1 for digest in digests]  # positive Int64
    return pl.Series(whole, dtype=pl.Int64)


def restore(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Return quarantined rows as they once came, one frame for each set of columns and types.

    Each has two columns more: `quarantined`, the id under which the row waits, and `reason`.

    >>> moment = pl.Series([0]).cast(pl.Datetime("us", "UTC"))
    >>> bad = pl.DataFrame({"time": moment, "amount": [float("nan")], "reason": ["not finite"]})
    >>> restore(quarantined(bad, "payment", pl.Int64))[0]["amount"].to_list()
    [nan]
    """
    types = pl.col("content").str.json_path_match("$.types")
    return [_restored(part) for part in rows.with_columns(types=types).partition_by("types")]


def _restored(rows: pl.DataFrame) -> pl.DataFrame:
    texts = [json.loads(text) for text in rows["content"]]
    schema = {name: _dtype(text) for name, text in texts[0]["types"].items()}
    columns = [
        _from_text(name, [text["values"][name] for text in texts], dtype)
        for name, dtype in schema.items()
    ]
    return pl.DataFrame([*columns, rows["event"].alias("quarantined"), rows["reason"]])


def _as_text(values: pl.Series) -> pl.Series:
    """Return values as text that loses nothing: times as whole units, bytes as hex."""
    dtype = values.dtype
    if dtype == pl.Binary:
        return values.bin.encode("hex")
    if dtype.is_temporal():
        return values.to_physical().cast(pl.String)
    if dtype.is_nested():
        return pl.Series(values.name, [_nested_text(value) for value in values], dtype=pl.String)
    return values.cast(pl.String)


def _nested_text(value) -> str | None:
    return None if value is None else json.dumps(value.to_list(), default=str)


def _from_text(name: str, texts: list, dtype: pl.DataType) -> pl.Series:
    values = pl.Series(name, texts, dtype=pl.String)
    if dtype == pl.Binary:
        return values.str.decode("hex")
    if dtype == pl.Boolean:
        return values == "true"
    if dtype.is_temporal():
        return values.cast(pl.Int64).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
    if dtype.is_nested():
        return pl.Series(name, [text and json.loads(text) for text in texts], dtype=dtype)
    return values.cast(dtype)


def _dtype(text: str) -> pl.DataType:
    """Read a type as Polars prints it, such as List(Datetime(time_unit='us', time_zone='UTC'))."""

    def build(node):
        if isinstance(node, ast.Call):
            named = {keyword.arg: build(keyword.value) for keyword in node.keywords}
            return build(node.func)(*map(build, node.args), **named)
        if isinstance(node, ast.Name):
            return getattr(pl, node.id)
        return ast.literal_eval(node)

    return build(ast.parse(text, mode="eval").body)
