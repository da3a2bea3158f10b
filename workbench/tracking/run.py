"""What a run is: everything that is needed to understand a model, and to make it again."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import metadata
from typing import Any

__all__ = ["Code", "Data", "Metric", "Run", "code_now", "data_of", "environment_now"]

PACKAGES = ("numpy", "polars", "pyarrow", "deltalake", "pandas", "scikit-learn", "xgboost", "torch")


@dataclass(frozen=True, slots=True)
class Code:
    """The program: commit of the repository one works in, None outside one."""

    commit: str | None
    dirty: bool  # whether tracked files differed from the commit
    package: str  # version of this package


@dataclass(frozen=True, slots=True)
class Data:
    """The rows: a version of a log and the moment it was seen from, or a table's digest."""

    version: int | None = None
    as_of: datetime | None = None
    complete_until: datetime | None = None
    digest: str | None = None  # SHA-256 over all rows of a table
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A number, and the interval around it if one was measured.

    >>> Metric(0.8123, 0.7904, 0.8311)
    0.812 [0.79, 0.831]
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __repr__(self) -> str:
        bounds = "" if self.low is None else f" [{self.low:.3g}, {self.high:.3g}]"
        return f"{self.value:.3g}{bounds}"


@dataclass(frozen=True)
class Run:
    """One finished (or failed, or still running) run, as it was kept. The repr is the report.

    Attributes
    ----------
    status : str
        finished, failed, killed or running.
    features : mapping
        Name to version; None for a plain column.
    params, environment : mapping
        Settings as they were given; Python, platform and versions of packages.
    metrics : mapping of str to Metric
        The last value of each.
    artifacts : tuple of str
        Paths of files kept with the run.
    """

    id: str
    name: str
    uri: str
    status: str
    started: datetime
    duration_seconds: float | None
    code: Code
    data: Data
    features: Mapping[str, str | None]
    params: Mapping[str, Any]
    environment: Mapping[str, str]
    device: str
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        commit = (self.code.commit or "none")[:8] + (" + changes" if self.code.dirty else "")
        seen = f" as of {self.data.as_of:%Y-%m-%d %H:%M}" if self.data.as_of else ""
        if self.data.version is not None:
            data = f"version {self.data.version}{seen}"
        else:
            data = f"{self.data.rows:,} rows {self.data.digest[:8]}" if self.data.digest else "-"
        lines = [
            f"Run of {self.name}, {self.status}",
            f"  code      {commit}",
            f"  data      {data}",
            f"  features  {', '.join(self.features) or '-'}",
            f"  params    {_short(self.params)}",
            f"  metrics   {_short(self.metrics)}",
        ]
        return "\n".join(line if len(line) <= 90 else f"{line[:87]}..." for line in lines)

    def recipe(self) -> str:
        """What was known when the run began, as JSON."""
        kept = ("code", "data", "features", "params", "environment", "device")
        content = {name: value for name, value in asdict(self).items() if name in kept}
        return json.dumps(content, indent=1, default=_plain)

    @staticmethod
    def from_recipe(text: str) -> dict[str, Any]:
        """The fields that `recipe` wrote."""
        content = json.loads(text)
        data = content["data"]
        for name in ("as_of", "complete_until"):
            if data[name] is not None:
                data[name] = datetime.fromisoformat(data[name])
        return {**content, "code": Code(**content["code"]), "data": Data(**data)}


def code_now() -> Code:
    """The commit of the repository around the working folder, and whether files differ from it."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no") if commit else None
    return Code(commit or None, bool(changes), metadata.version("mlsys-workbench"))


def data_of(data: Any) -> Data:
    """The version of a log or of a view on it, or the digest of a table. None is no data.

    >>> data_of({"amount": [1.0, 2.0]}).rows
    2
    """
    if data is None:
        return Data()
    if hasattr(data, "version") and hasattr(data, "scan"):
        return Data(data.version, data.known_before, data.complete_until)
    import polars as pl

    from workbench.tables import to_polars

    tables = [pl.DataFrame(data)] if isinstance(data, Mapping) else to_polars(data, "data")
    digest = hashlib.sha256()
    for table in tables:
        stream = io.BytesIO()
        table.rechunk().write_ipc_stream(stream)
        digest.update(stream.getvalue())
    return Data(digest=digest.hexdigest(), rows=sum(map(len, tables)))


def environment_now() -> dict[str, str]:
    """Python, the platform, and the versions of the packages that decide numbers."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):  # no git here: the commit is unknown, and says so
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _short(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in mapping.items()) or "-"


def _plain(value: Any) -> Any:
    """What JSON has no type for: datetimes by ISO 8601, NumPy scalars as numbers."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else str(value)
