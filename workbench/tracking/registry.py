"""Runs and models as they were kept: which there are, which is the champion, and loading it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from workbench.tracking.run import Metric, Run
from workbench.tracking.start import RECIPE, OpenRun
from workbench.tracking.store import check_name, client, mlflow_quietly

__all__ = ["find", "load", "promote", "runs"]


def promote(run: Run | OpenRun, *, alias: str = "champion") -> Run:
    """Give a run's model an alias that no other model of that name has then.

    Returns the run as kept. Raises ValueError if it did not finish or kept no model.
    """
    with mlflow_quietly():
        store = client(run.uri)
        kept = _read(store, run.id, run.name, run.uri)
        versions = store.search_model_versions(f"run_id = '{run.id}'")
        if kept.status != "finished" or not versions:
            what = "kept no model" if not versions else f"is {kept.status}"
            raise ValueError(f"a run of {run.name} cannot be {alias!r}: {run.id} {what}")
        newest = max(versions, key=lambda version: int(version.version))
        store.set_registered_model_alias(run.name, alias, newest.version)
    return kept


def load(
    name: str,
    *,
    uri: str,
    alias: str = "champion",
    read: Callable[[Path], Any] | None = None,
) -> Any:
    """The model that has the alias.

    Parameters
    ----------
    name, uri
        As given to `start`.
    alias : str, default "champion"
        As given to `promote`.
    read : callable, optional
        Makes a model of the JSON file, such as `training.Model.load`; by default an
        `xgboost.Booster`. Neither runs code from the file.

    Raises
    ------
    ValueError
        If no model has that name and alias.
    """
    with tempfile.TemporaryDirectory() as folder, mlflow_quietly():
        store = client(uri)
        run = _holder(store, name, alias, uri)
        file = Path(store.download_artifacts(run, "model/model.json", folder))
        if read is not None:
            return read(file)
        import xgboost

        return xgboost.Booster(model_file=file)


def find(name: str, *, uri: str, alias: str = "champion", id: str | None = None) -> Run:
    """The run whose model has the alias, or the run of that id."""
    check_name(name)
    with mlflow_quietly():
        store = client(uri)
        return _read(store, id or _holder(store, name, alias, uri), name, uri)


def runs(name: str, *, uri: str) -> pl.DataFrame:
    """All runs of a name, newest first, one row each.

    Columns: run, status, alias, started, duration_seconds, commit, dirty, data_version, as_of,
    device; then every metric by its name (bounds as name.low and name.high) and every setting
    as param.NAME, in words. Raises ValueError if there is no run of that name.
    """
    check_name(name)
    with mlflow_quietly():
        store = client(uri)
        experiment = store.get_experiment_by_name(name)
        if experiment is None:
            known = sorted(e.name for e in store.search_experiments() if e.name != "Default")
            raise ValueError(f"no runs of {name!r} at {uri}; there are: {', '.join(known) or '-'}")
        found, token = [], None
        while True:
            page = store.search_runs([experiment.experiment_id], page_token=token)
            found += page
            token = page.token
            if not token:
                break
        aliases = _aliases(store, name)
    rows = [_row(run, aliases.get(run.info.run_id)) for run in found]
    table = pl.DataFrame(rows, infer_schema_length=None, schema_overrides=_TYPES)
    fixed = [column for column in _TYPES if column in table.columns]
    others = sorted(set(table.columns) - set(fixed), key=lambda c: (c.startswith("param."), c))
    return table.select(*fixed, *others).sort("started", descending=True)


_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow's words for "no such"
_TYPES = {
    "run": pl.String,
    "status": pl.String,
    "alias": pl.String,
    "started": pl.Datetime("us", "UTC"),
    "duration_seconds": pl.Float64,
    "commit": pl.String,
    "dirty": pl.Boolean,
    "data_version": pl.Int64,
    "as_of": pl.Datetime("us", "UTC"),
    "device": pl.String,
}


def _row(run, alias: str | None) -> dict[str, Any]:
    tags, info = run.data.tags, run.info
    as_of, version = tags.get("as_of"), tags.get("data_version")
    return {
        "run": info.run_id,
        "status": info.status.lower(),
        "alias": alias,
        "started": _moment(info.start_time),
        "duration_seconds": _duration(info),
        "commit": tags.get("mlflow.source.git.commit"),
        "dirty": tags.get("dirty") == "True",
        "data_version": None if version is None else int(version),
        "as_of": None if as_of is None else datetime.fromisoformat(as_of),
        "device": tags.get("device"),
        **run.data.metrics,
        **{f"param.{key}": value for key, value in run.data.params.items()},
    }


def _read(store, id: str, name: str, uri: str) -> Run:
    from mlflow.exceptions import MlflowException

    try:
        kept = store.get_run(id)
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        raise ValueError(f"there is no run {id} at {uri}") from error
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(store.download_artifacts(id, RECIPE, folder)).read_text(encoding="utf-8")
    values = kept.data.metrics
    bounds = {f"{n}{end}" for n in values for end in (".low", ".high") if f"{n}.low" in values}
    return Run(
        id=id,
        name=name,
        uri=uri,
        status=kept.info.status.lower(),
        started=_moment(kept.info.start_time),
        duration_seconds=_duration(kept.info),
        metrics={
            metric: Metric(value, values.get(f"{metric}.low"), values.get(f"{metric}.high"))
            for metric, value in values.items()
            if metric not in bounds
        },
        artifacts=tuple(_files(store, id)),
        **Run.from_recipe(recipe),
    )


def _holder(store, name: str, alias: str, uri: str) -> str:
    """The id of the run whose model has the alias."""
    from mlflow.exceptions import MlflowException

    check_name(name)
    try:
        return store.get_model_version_by_alias(name, alias).run_id
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        known = sorted(set(_aliases(store, name).values()))
        raise ValueError(
            f"no model of {name!r} is {alias!r} at {uri}; "
            f"aliases there: {', '.join(known) or 'none, promote a run first'}"
        ) from error


def _aliases(store, name: str) -> dict[str, str]:
    """Run id to the aliases of its models, joined by commas."""
    from mlflow.exceptions import MlflowException

    try:
        model = store.get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        return {}  # no run of that name kept a model yet
    found: dict[str, list[str]] = {}
    for alias, version in sorted(model.aliases.items()):
        found.setdefault(store.get_model_version(name, version).run_id, []).append(alias)
    return {run: ", ".join(names) for run, names in found.items()}


def _files(store, run: str, folder: str | None = None) -> list[str]:
    found = []
    for entry in store.list_artifacts(run, folder):
        found += _files(store, run, entry.path) if entry.is_dir else [entry.path]
    return sorted(found)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _duration(info) -> float | None:
    return None if info.end_time is None else (info.end_time - info.start_time) / 1000
