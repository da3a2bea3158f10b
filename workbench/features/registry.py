"""Which features are there, whose are they, what do they mean, and which models use them?

One JSON file, made to be kept in git beside the code: sorted, indented, one line a fact, so that a
review shows what changed. A changed definition is a new version beside the old one; nothing is
ever overwritten, because a model that was trained on the old values still wants them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import polars as pl

from workbench.features.composed import Calendar, Definition, Formula, Ratio
from workbench.features.definition import Feature

__all__ = ["Registry", "from_definition"]

_SCHEMA = {
    "name": pl.String,
    "version": pl.String,
    "owner": pl.String,
    "meaning": pl.String,
    "models": pl.List(pl.String),
    "retired": pl.Boolean,
    "definition": pl.String,
}


class Registry:
    """The features of a team, in one file. Its repr is the list.

    Parameters
    ----------
    path : str or Path
        The JSON file; it is made with the first feature. Several processes may add to it.

    Examples
    --------
    >>> import tempfile
    >>> from workbench import features
    >>> registry = Registry(Path(tempfile.mkdtemp()) / "features.json")
    >>> month = features.mean("amount", of="payment", per="user", days=30, name="usual_amount")
    >>> registry.add(month, owner="fraud", meaning="what the user mostly spends, dollars")
    'bdd0ad80'
    >>> registry.used_by("fraud@3", [month])
    >>> registry
    usual_amount bdd0ad80  of fraud  used by fraud@3
      what the user mostly spends, dollars
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def add(self, feature: Definition, *, owner: str, meaning: str) -> str:
        """Register a feature under its name; return its version.

        Adding it again changes nothing but owner and meaning. A changed definition is added as a
        new version.

        Raises
        ------
        ValueError
            If owner or meaning is empty, the same definition goes by another name already, or the
            file is damaged.
        """
        for word, text in (("owner", owner), ("meaning", meaning)):
            if not (isinstance(text, str) and text.strip()):
                raise ValueError(f"{word} of {feature.name!r} must say something, got {text!r}")
        with self._changed() as content:
            for name, versions in content["features"].items():
                if feature.version in versions and name != feature.name:
                    raise ValueError(
                        f"{feature.name!r} is {name!r} of {versions[feature.version]['owner']}, "
                        "word for word: use that one"
                    )
            versions = content["features"].setdefault(feature.name, {})
            entry = versions.setdefault(
                feature.version,
                {"number": len(versions) + 1, "definition": feature.definition, "retired": False},
            )
            entry |= {"owner": owner.strip(), "meaning": meaning.strip()}
        return feature.version

    def used_by(self, model: str, features: Iterable[Definition]) -> None:
        """Note which features a model uses, in which versions; what it used before is forgotten.

        Raises ValueError if one of them is not registered in this version, or is retired.
        """
        features = list(features)
        with self._changed() as content:
            for feature in features:
                versions = content["features"].get(feature.name, {})
                if feature.version not in versions:
                    has = f"versions {[*versions]}" if versions else "no feature of that name"
                    raise ValueError(
                        f"{model} uses {feature.name!r} in version {feature.version}, the registry "
                        f"has {has}: add it first"
                    )
                if versions[feature.version]["retired"]:
                    raise ValueError(f"{feature.name!r} {feature.version} is retired")
            content["models"][model] = {each.name: each.version for each in features}
            if not features:
                del content["models"][model]

    def retire(self, name: str, version: str | None = None) -> None:
        """Mark a version (all of them) as not to be used any more. It stays in the file.

        Raises ValueError if there is no such feature, or a model uses it still.
        """
        with self._changed() as content:
            versions = self._versions(content, name, version)
            for each in versions:
                models = _models(content, name, each)
                if models:
                    raise ValueError(
                        f"{name!r} {each} is used by {models[0]}: say what that model uses "
                        f"instead, used_by({models[0]!r}, …)"
                    )
            for each in versions:
                content["features"][name][each]["retired"] = True

    def get(self, name: str, version: str | None = None) -> Definition:
        """Return a registered feature, ready to compute; the newest version unless one is named.

        Raises ValueError if there is no such feature.
        """
        content = self._read()
        newest = self._versions(content, name, version)[-1]
        return from_definition(content["features"][name][newest]["definition"], name)

    def list(self) -> pl.DataFrame:
        """Return a row per version, oldest first: who owns it, what it means, which models use it.

        Columns `name version owner meaning models retired definition`, the last as JSON.
        """
        content = self._read()
        rows = [
            {
                "name": name,
                "version": version,
                "owner": entry["owner"],
                "meaning": entry["meaning"],
                "models": _models(content, name, version),
                "retired": entry["retired"],
                "definition": json.dumps(entry["definition"], sort_keys=True),
            }
            for name in content["features"]
            for version in self._versions(content, name, None)
            for entry in [content["features"][name][version]]
        ]
        return pl.DataFrame(rows, schema=_SCHEMA)

    def __repr__(self) -> str:
        lines = []
        for row in self.list().iter_rows(named=True):
            models = f"used by {', '.join(row['models'])}" if row["models"] else "used by no model"
            state = "retired" if row["retired"] else models
            lines.append(f"{row['name']} {row['version']}  of {row['owner']}  {state}"[:90])
            lines.append(f"  {row['meaning']}"[:90])
        return "\n".join(lines) or f"no features yet in {self.path.name}"

    def _versions(self, content: dict, name: str, version: str | None) -> list[str]:
        """Versions of a feature, oldest first; or the one that is meant."""
        if name not in content["features"]:
            raise ValueError(
                f"no feature {name!r} in the registry; it has {[*content['features']]}"
            )
        versions = content["features"][name]
        if version is not None and version not in versions:
            raise ValueError(f"{name!r} has no version {version!r}, only {[*versions]}")
        oldest_first = sorted(versions, key=lambda each: versions[each]["number"])
        return oldest_first if version is None else [version]

    def _read(self) -> dict:
        if not self.path.exists():
            return {"features": {}, "models": {}}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {"features": dict(content["features"]), "models": dict(content["models"])}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} is no registry of features ({error}): take it back from git"
            ) from error

    @contextmanager
    def _changed(self) -> Iterator[dict]:
        """The content to change; written as a whole or, after an error, not at all."""
        import fcntl

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_name(f".{self.path.name}.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._read()
            yield content
            new = self.path.with_name(f".{self.path.name}.new")
            with open(new, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2, sort_keys=True, ensure_ascii=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)


def from_definition(definition: dict, name: str = "") -> Definition:
    """The feature that a definition describes.

    >>> from workbench import features
    >>> ratio = features.ratio(*(features.count("click", per="item", days=d) for d in (1, 7)))
    >>> from_definition(ratio.definition) == ratio
    True
    """
    if "calendar" in definition:
        return Calendar(part=definition["calendar"], tz=definition["tz"], name=name)
    if "formula" in definition:
        parts = definition["parts"].items()
        parts = tuple((word, from_definition(part)) for word, part in parts)
        return Formula(text=definition["formula"], parts=parts, name=name or "formula")
    if "over" in definition:
        over, under = (from_definition(definition[word]) for word in ("over", "under"))
        return Ratio(over=over, under=under, name=name)
    spans = {word: definition.get(f"{word}_us") for word in ("window", "lag", "step", "session")}
    rest = {word: definition.get(word) for word in ("column", "where", "most", "missing")}
    return Feature(
        aggregate=definition["aggregate"],
        of=definition["of"],
        per=tuple(definition["per"]),
        name=name,
        **{word: None if us is None else timedelta(microseconds=us) for word, us in spans.items()},
        **rest,
    )


def _models(content: dict, name: str, version: str) -> list[str]:
    return sorted(model for model, uses in content["models"].items() if uses.get(name) == version)
