"""What a store says of itself: the groups it holds, the types it has seen, how far it has come.

head       [format, number of the catalog, youngest known_at of each group]      read each time
catalog    groups, types of columns and keys                                     changes rarely
ledger     what only the writer needs: ids seen, counts, until when materialised
"""

from __future__ import annotations

import base64
import io
import json
import secrets
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from workbench.features.definition import expression
from workbench.features.tracks import TILES, Group
from workbench.features.value_words import shape_of

__all__ = ["CATALOG", "HEAD", "LEDGER", "NEVER", "Catalog", "Ledger", "shapes_of"]

HEAD, CATALOG, LEDGER = b"head", b"catalog", b"ledger"
FORMAT = 1
NEVER = int(np.iinfo(np.int64).min)


@dataclass
class Catalog:
    """Groups and types; `groups` has for each group its name and the prefix of its records."""

    number: int = 0
    groups: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)  # versions of each group's features
    types: dict[str, dict] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes | None) -> Catalog:
        """From what is stored; an empty one from None."""
        if content is None:
            return cls()
        told = json.loads(content)
        return cls(
            told["number"],
            {name: bytes.fromhex(prefix) for name, prefix in told["groups"].items()},
            told["told"],
            {kind: _types_from(text) for kind, text in told["types"].items()},
            told["keys"],
        )

    def dump(self) -> bytes:
        """As it is stored."""
        told = {
            "number": self.number,
            "groups": {name: prefix.hex() for name, prefix in self.groups.items()},
            "told": self.told,
            "types": {kind: _types_as_text(types) for kind, types in self.types.items()},
            "keys": self.keys,
        }
        return json.dumps(told).encode()

    def copy(self) -> Catalog:
        """One that can be changed without changing this one."""
        types = {kind: dict(types) for kind, types in self.types.items()}
        return Catalog(self.number, dict(self.groups), dict(self.told), types, dict(self.keys))

    def same_as(self, other: Catalog) -> bool:
        """Whether anything but the number differs."""
        return (self.groups, self.types, self.keys) == (other.groups, other.types, other.keys)

    def add(self, group: Group) -> None:
        """Take in a group; its records get a prefix of their own, unlike any before."""
        self.groups[group.name] = b"r" + secrets.token_bytes(4)
        self.told[group.name] = [leaf.version for leaf in group.leaves]

    def check_key(self, name: str, dtype: pl.DataType, where: str) -> None:
        """Hold the ids of one name to one type."""
        if dtype == pl.Null:
            return
        there = self.keys.setdefault(name, str(dtype))
        if there != str(dtype):
            raise ValueError(
                f"{name} of {where} is {dtype} and {there} in this store: the same id must have "
                "one type; cast one of them"
            )


@dataclass
class Ledger:
    """The writer's books."""

    texts: int = 0
    aside: list[int] = field(default_factory=lambda: [0, 0])  # blocks, rows
    counts: dict[str, int] = field(default_factory=lambda: {"events": 0, "duplicates": 0})
    until: dict[str, int] = field(default_factory=dict)  # group: materialised until
    seen: dict[str, dict[str, list]] = field(default_factory=dict)  # group: kind: [next, blocks]
    commits: int = 0

    @classmethod
    def parse(cls, content: bytes | None) -> Ledger:
        """From what is stored; an empty one from None."""
        return cls() if content is None else cls(**json.loads(content))

    def dump(self) -> bytes:
        """As it is stored."""
        return json.dumps(vars(self)).encode()


def shapes_of(group: Group, types: dict[str, dict]) -> dict[tuple[str, str], tuple]:
    """Type and words of every column that a group keeps as it is, as far as they are known."""
    shapes = {}
    for track in group.tracks:
        known = types.get(track.kind, {})
        frame = pl.DataFrame(schema={n: t for n, t in known.items() if not n.endswith("[]")})
        for column in track.columns if track.form != TILES else ():
            words = set(expression(column).meta.root_names())
            if words <= {*frame.columns}:
                made = frame.select(expression(column).alias("_")).to_series()
                dtype, _ = shape_of(made, f"{column} of {track.kind}")
                shapes[track.kind, column] = dtype, known.get(f"{column}[]", 1)
    return shapes


def _types_as_text(types: dict) -> dict:
    made = io.BytesIO()
    pl.DataFrame(schema={n: t for n, t in types.items() if not n.endswith("[]")}).write_ipc(made)
    widths = {name: t for name, t in types.items() if name.endswith("[]")}
    return {"schema": base64.b64encode(made.getvalue()).decode(), "widths": widths}


def _types_from(told: dict) -> dict:
    return dict(pl.read_ipc(io.BytesIO(base64.b64decode(told["schema"]))).schema) | told["widths"]
