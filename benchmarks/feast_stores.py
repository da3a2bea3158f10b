"""Feast's stores with one feature view, run by the Python of the peers' environment: never imported
by ours.

    store(folder, offline="dask", online="sqlite")     a repository of its own in `folder`
    view(path, columns, ttl_days)                      what Feast calls a feature view, over a file

`time` is Feast's event timestamp and `known_at` its created timestamp; the entity is `user`.
"""

from datetime import timedelta
from pathlib import Path

__all__ = ["applied", "historical", "online", "store"]

FORGETFUL = "filter_by_created_timestamp"  # Feast's word for the second clock; off unless asked


def store(folder: Path, *, offline: str = "dask", online: str = "sqlite"):
    """A FeatureStore; `online` is "sqlite" or the address of a Redis server, host:port."""
    from feast import FeatureStore, RepoConfig

    folder.mkdir(parents=True, exist_ok=True)
    where = (
        {"type": "sqlite", "path": str(folder / "online.db")}
        if online == "sqlite"
        else {"type": "redis", "connection_string": online}
    )
    return FeatureStore(
        config=RepoConfig(
            project=folder.name,
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": offline},
            online_store=where,
            entity_key_serialization_version=3,
        )
    )


def applied(feast, path: Path, columns: dict[str, str], ttl_days: float, name: str = "payment"):
    """Apply a view over a Parquet file; columns are {name: "Float64" or "String"}. Its references.

    A time-to-live of zero is none, in Feast.
    """
    from feast import Entity, FeatureView, Field, FileSource, ValueType, types

    user = Entity(name="user", join_keys=["user"], value_type=ValueType.INT64)
    source = FileSource(
        name=f"{name}_source",
        path=str(path),
        timestamp_field="time",
        created_timestamp_column="known_at",
    )
    view = FeatureView(
        name=name,
        entities=[user],
        ttl=timedelta(days=ttl_days),
        schema=[Field(name=each, dtype=getattr(types, kind)) for each, kind in columns.items()],
        source=source,
    )
    feast.apply([user, view])
    return [f"{name}:{column}" for column in columns]


def historical(feast, requests, references, *, known: bool = False):
    """The point-in-time join as a pandas frame; `known` asks for Feast's second clock."""
    asked = requests.rename(columns={"time": "event_timestamp"})
    job = feast.get_historical_features(asked, references, **({FORGETFUL: True} if known else {}))
    return job.to_df()


def online(feast, users, references):
    """What one read of these users gives: {column: values}."""
    answer = feast.get_online_features(references, [{"user": int(user)} for user in users])
    return answer.to_dict()
