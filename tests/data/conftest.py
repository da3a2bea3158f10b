"""The real data sets, where they are at hand: no test fetches them."""

import os
from pathlib import Path

import pytest

from workbench import lab
from workbench.data.sources import SOURCES


@pytest.fixture
def real_data(monkeypatch):
    """The mirror, or the sets downloaded before; without either skip, but fail in CI."""
    checkout = Path(lab.__file__).resolve().parent.parent
    home = Path(os.environ.get("WORKBENCH_PUBLIC_DATA") or checkout / "data" / "public")
    if all((home / source.folder).is_dir() for source in SOURCES.values()):
        monkeypatch.setenv("WORKBENCH_PUBLIC_DATA", str(home))
        return
    words = (
        f"the public data is not in {home}: let WORKBENCH_PUBLIC_DATA name a mirror, or load each "
        "set once with workbench.data.public.table(name)"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)
