"""Begin a run, fill it, end it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.tracking.run import Metric, Run, code_now, data_of, environment_now
from workbench.tracking.store import artifact_folder, check_name, client, mlflow_quietly

__all__ = ["RECIPE", "OpenRun", "start"]

RECIPE = "run.json"
LONGEST_PARAM = 6_000  # characters; MLflow's limit. run.json keeps it whole


class OpenRun:
    """A run that is being filled; `start` gives one. Its `id`, `name` and `uri` name it."""

    def __init__(self, id: str, name: str, uri: str) -> None:
        self.id, self.name, self.uri = id, name, uri

    def metrics(self, values: Mapping[str, Any], *, step: int = 0) -> None:
        """Keep numbers; later values of one name replace earlier ones.

        Parameters
        ----------
        values : mapping
            Name to a number, to (value, low, high), or to an interval: anything with `estimate`,
            `low` and `high`.
        step : int, default 0
            Round or epoch, for curves.

        Raises
        ------
        ValueError
            If a value is no number.
        """
        from mlflow.entities import Metric as Kept

        now = int(time.time() * 1000)
        flat = {}
        for name, value in values.items():
            metric = _metric(name, value)
            flat[name] = metric.value
            if metric.low is not None:
                flat[f"{name}.low"], flat[f"{name}.high"] = metric.low, metric.high
        with mlflow_quietly():
            kept = [Kept(name, value, now, step) for name, value in flat.items()]
            client(self.uri).log_batch(self.id, metrics=kept)

    def model(self, model: Any) -> None:
        """Keep the run's model in XGBoost's own format, and give it a version under the name.

        Parameters
        ----------
        model
            Anything with `save(path)` that writes .json, or XGBoost's `save_model(path)`. No
            pickle is written, so that none is ever loaded.
        """
        save = getattr(model, "save", None) or getattr(model, "save_model", None)
        if save is None:
            raise ValueError(
                f"a model has save(path) or save_model(path), got {type(model).__name__}"
            )
        with tempfile.TemporaryDirectory() as folder, mlflow_quietly():
            save(Path(folder, "model.json"))
            store = client(self.uri)
            store.log_artifact(self.id, str(Path(folder, "model.json")), "model")
            _register(store, self.name, self.id)

    def artifact(self, file: str | Path, *, folder: str | None = None) -> None:
        """Keep a file with the run, under its own name."""
        if not Path(file).is_file():
            raise ValueError(f"there is no file {file} to keep")
        with mlflow_quietly():
            client(self.uri).log_artifact(self.id, str(file), folder)

    def __repr__(self) -> str:
        return f"<OpenRun of {self.name}>"


@contextmanager
def start(
    name: str,
    *,
    uri: str,
    data: Any = None,
    features: Sequence = (),
    params: Any = None,
    device: str = "cpu",
) -> Iterator[OpenRun]:
    """Begin a run; it is finished when the block ends, failed if the block raises.

    Parameters
    ----------
    name : str
        What the runs are for, such as "fraud": also the name of the model.
    uri : str
        Where MLflow keeps them: `lab.tracking`, sqlite:///file, or a server's http address.
    data : EventLog or table, optional
        What the model learns from. A log, or its view by `as_of`, is kept as version and moment;
        a table as a digest of all its rows.
    features : sequence
        Column names, or definitions with `name` and `version`.
    params : mapping or dataclass, optional
        Settings.
    device : str, default "cpu"
        Where it was trained.

    Yields
    ------
    OpenRun
        With `metrics`, `model` and `artifact`.

    Raises
    ------
    ValueError
        For a name or address that is none. Whatever the block raises is raised again.

    Examples
    --------
    >>> folder = tempfile.TemporaryDirectory()
    >>> uri = f"sqlite:///{folder.name}/mlflow.db"
    >>> with start("fraud", uri=uri, params={"depth": 6}) as run:
    ...     run.metrics({"auc": (0.81, 0.79, 0.83)})
    >>> from workbench.tracking.registry import find
    >>> find("fraud", uri=uri, id=run.id).metrics
    {'auc': 0.81 [0.79, 0.83]}
    """
    check_name(name)
    began = datetime.now(UTC)
    recipe = Run(
        id="",
        name=name,
        uri=uri,
        status="running",
        started=began,
        duration_seconds=None,
        code=code_now(),
        data=data_of(data),
        features={getattr(f, "name", f): getattr(f, "version", None) for f in features},
        params=_params(params),
        environment=environment_now(),
        device=device,
    )
    with mlflow_quietly():
        run = _create(recipe)
    status, error = "FAILED", None
    try:
        yield run
        status = "FINISHED"
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        status = "KILLED" if isinstance(raised, KeyboardInterrupt) else "FAILED"
        raise
    finally:
        with mlflow_quietly():
            store = client(uri)
            if error is not None:
                store.set_tag(run.id, "error", error[:LONGEST_PARAM])
            store.set_terminated(run.id, status)


def _create(recipe: Run) -> OpenRun:
    from mlflow.entities import Param, RunTag

    store = client(recipe.uri, create=True)
    tags = {
        "mlflow.source.git.commit": recipe.code.commit,
        "dirty": recipe.code.dirty,
        "data_version": recipe.data.version,
        "as_of": recipe.data.as_of and recipe.data.as_of.isoformat(),
        "data_digest": recipe.data.digest,
        "device": recipe.device,
    }
    made = store.create_run(_experiment(store, recipe.name, recipe.uri))
    run = OpenRun(made.info.run_id, recipe.name, recipe.uri)
    store.log_batch(
        run.id,
        params=[Param(key, value) for key, value in _flat(recipe.params).items()],
        tags=[RunTag(key, str(value)) for key, value in tags.items() if value is not None],
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, RECIPE)
        file.write_text(recipe.recipe(), encoding="utf-8")
        store.log_artifact(run.id, str(file))
    return run


def _experiment(store, name: str, uri: str) -> str:
    from mlflow.exceptions import MlflowException

    found = store.get_experiment_by_name(name)
    if found is None:
        try:
            return store.create_experiment(name, artifact_location=artifact_folder(uri, name))
        except MlflowException as error:  # another process was first
            found = store.get_experiment_by_name(name)
            if found is None:
                raise error
    return found.experiment_id


def _register(store, name: str, run: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        store.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{store.get_run(run).info.artifact_uri}/model"
    store.create_model_version(name, source=source, run_id=run, await_creation_for=0)


def _metric(name: str, value: Any) -> Metric:
    numbers = value if isinstance(value, tuple) else (value,)
    if hasattr(value, "estimate"):
        numbers = (value.estimate, value.low, value.high)
    try:
        if len(numbers) not in (1, 3) or isinstance(value, str | bool):
            raise TypeError
        return Metric(*map(float, numbers))
    except (TypeError, ValueError):
        raise ValueError(
            f"metric {name!r} must be a number, (value, low, high) or an interval, got {value!r}"
        ) from None


def _params(params: Any) -> dict[str, Any]:
    if params is None:
        return {}
    if dataclasses.is_dataclass(params) and not isinstance(params, type):
        return dataclasses.asdict(params)
    if not isinstance(params, Mapping):
        raise ValueError(f"params must be a mapping or a dataclass, got {type(params).__name__}")
    return {
        str(key): dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
        for key, value in params.items()
    }


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """As MLflow shows them: one level, words."""
    flat = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            flat[f"{prefix}{key}"] = text[:LONGEST_PARAM]
    return flat
