"""The way to MLflow: explicit addresses, no messages, nothing sent, no stale files."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

__all__ = ["artifact_folder", "check_name", "client", "mlflow_quietly"]

_SQLITE = "sqlite:///"
_generations: dict[Path, int] = {}  # how often this process found the file to be new


@contextmanager
def mlflow_quietly() -> Iterator[None]:
    """Keep MLflow from printing and from reporting its use to anybody, whoever imported it."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if "mlflow" in sys.modules:
        from mlflow.telemetry import set_telemetry_client

        set_telemetry_client()  # ends a reporter that was started before
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow  # noqa: F401

        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def client(uri: str, *, create: bool = False):
    """An MlflowClient for that address alone; call within `mlflow_quietly`.

    Raises ValueError for a SQLite file that does not exist, unless `create`.
    """
    from mlflow import MlflowClient

    path = _sqlite_path(uri)
    if path is not None:
        if not path.exists():
            if not create:
                raise ValueError(f"no runs are kept at {uri}: {path} does not exist")
            path.parent.mkdir(parents=True, exist_ok=True)
            _generations[path] = _generations.get(path, -1) + 1
        # MLflow keeps connections by address for ever, also to a file deleted since (a fresh lab):
        # each new file is called by another name, /a/mlflow.db, /a/./mlflow.db, /a/././mlflow.db
        uri = f"{_SQLITE}{path.parent}{'/.' * _generations.get(path, 0)}/{path.name}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def artifact_folder(uri: str, name: str) -> str | None:
    """Where files go: beside a SQLite file; a server decides for itself (None)."""
    path = _sqlite_path(uri)
    return None if path is None else (path.parent / "artifacts" / name).as_uri()


def check_name(name: str) -> None:
    """Raise ValueError unless `name` can name a line of runs and a model."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", name):
        raise ValueError(
            "a name is letters, digits, '.', '_' or '-', beginning with a letter or digit; "
            f"got {name!r}"
        )


def _sqlite_path(uri: str) -> Path | None:
    if not isinstance(uri, str) or "://" not in uri:
        raise ValueError(
            f"uri must be an address such as {_SQLITE}/folder/mlflow.db or http://host:5000, "
            f"got {uri!r}"
        )
    if not uri.startswith(_SQLITE):
        return None
    return Path(unquote(uri.removeprefix(_SQLITE))).absolute()
