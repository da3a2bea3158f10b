"""Evidently's checks, run by the Python of the peers' environment: never imported here.

    python evidently_checks.py FOLDER          reads 0.reference.parquet, 0.live.parquet, 1. …;
                                               writes fired.json: per pair, [column, fired] pairs
    python evidently_checks.py FOLDER --serve  loads pair 0 and says "ready"; then checks it once
                                               for each line it reads, and says "done" after each

What is checked: drift of every column by Evidently's own choice of method and threshold, missing
values, duplicated rows and the number of columns, with the tests it derives from the reference. Its
tests that a count, an extreme or a moment equals the reference's by 10 % are left out: a day has
never as many rows as a month, and those alarms would drown the others. It has no checks of volume
by weekday, freshness, sequences, label delay, clocks, renamed columns or slices.
"""

import json
import os
import sys
from pathlib import Path

WORDS = ("object", "string", "bool", "category")


def main(folder: Path, serve: bool) -> None:
    if not serve:
        counts = range(len(list(folder.glob("*.live.parquet"))))
        answers = [fired(check(*frames(folder, number))) for number in counts]
        (folder / "fired.json").write_text(json.dumps(answers), encoding="utf-8")
        return
    pair = frames(folder, 0)
    print("ready", flush=True)
    for _ in sys.stdin:
        check(*pair)
        print("done", flush=True)


def frames(folder: Path, number: int):
    """Reference and live rows as Evidently's data sets, with what each column is."""
    import pandas as pd
    from evidently import DataDefinition, Dataset

    pair = [
        pd.read_parquet(folder / f"{number}.{which}.parquet") for which in ("reference", "live")
    ]
    reference, live = pair
    shared = [name for name in reference.columns if name in live.columns]
    ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
    kinds = {name: str(reference[name].dtype) for name in shared if name not in ids}
    numbers = [name for name, kind in kinds.items() if kind.startswith(("float", "int", "Int"))]
    words = [name for name, kind in kinds.items() if kind.startswith(WORDS)]
    same = [name for name in numbers + words if live[name].notna().any()]
    definition = DataDefinition(
        numerical_columns=[name for name in numbers if name in same],
        categorical_columns=[name for name in words if name in same],
        datetime_columns=[name for name, kind in kinds.items() if kind.startswith("datetime")],
    )
    return [Dataset.from_pandas(each, data_definition=definition) for each in pair]


def check(reference, live) -> dict:
    """All of its tests on one pair, as it reports them."""
    from evidently import Report
    from evidently.metrics import ColumnCount, DuplicatedRowCount, MissingValueCount
    from evidently.presets import DataDriftPreset

    columns = [name for name in reference.as_dataframe().columns if name in live.as_dataframe()]
    metrics = [DataDriftPreset(), ColumnCount(), DuplicatedRowCount()]
    metrics += [MissingValueCount(column=name) for name in columns]
    return Report(metrics, include_tests=True).run(live, reference).dict()


def fired(report: dict) -> list[tuple[str, bool]]:
    """Which columns it raised its voice about; "" is the table as a whole."""
    answer: dict[str, bool] = {}
    for test in report["tests"]:
        if "DriftedColumnsCount" in test["metric_config"]["params"]["type"]:
            continue  # how many columns drifted: they speak for themselves
        column = test["metric_config"]["params"].get("column") or ""
        answer[column] = answer.get(column, False) or test["status"] in ("FAIL", "ERROR")
    return sorted(answer.items())


if __name__ == "__main__":
    os.environ["DO_NOT_TRACK"] = "1"
    main(Path(sys.argv[1]), "--serve" in sys.argv)
