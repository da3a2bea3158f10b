"""The lines of the README, as a stranger would run them: what they load, and where they write."""

import subprocess
import sys
from pathlib import Path

LINES = """
import sys
from pathlib import Path

import pandas as pd

times = pd.date_range("2026-01-01", periods=90, freq="8h")
raw = {"cust": [1, 2, 3] * 30, "ts": times, "eur": [9.5, 20.0, 3.0] * 30}
pd.DataFrame(raw).to_parquet("tx.parquet")
ab = pd.DataFrame({"uid": range(90), "grp": ["old", "new"] * 45, "revenue": [9.5, 20.0, 3.0] * 30})
before = set(Path().rglob("*"))

import workbench as wb
from workbench import experiments, features, monitoring, training
from workbench.data import checks

names = {"user": "cust", "time": "ts", "amount": "eur", "tz": "Europe/Zurich"}
pay = wb.rename(pd.read_parquet("tx.parquet"), **names)
log = wb.EventLog("my_lake")
log.append(payment=pay, known_at="time")
spend = features.mean("amount", of="payment", per="user", days=30)
train = features.training_frame(pay, [spend], log)
shares = {"old": 0.5, "new": 0.5}
experiments.analyse(wb.rename(ab, user="uid", variant="grp"), ["revenue"], expected=shares)
june, july = pay[:63], pay[63:]
monitoring.drift(june, july, columns=["amount"], false_alarm_rate=0.1)
checks.report(log, "payment", at=pd.Timestamp("2026-01-30", tz="UTC"))
train["label"] = train["user"] == 2
model = training.fit(train, features=[spend, "amount"], label="label")
model.score(train)

heavy = ["mlflow", "torch", "dask", "altair", "workbench.marketplace", "workbench.lab"]
print([name for name in heavy if name in sys.modules])
made = set(Path().rglob("*")) - before
print({path.parts[0] for path in made})
"""


def test_the_lines_load_nothing_heavy_and_write_only_where_they_are_told(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", LINES],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines() == ["[]", "{'my_lake'}"]
    assert not (Path(tmp_path) / "home").exists()
