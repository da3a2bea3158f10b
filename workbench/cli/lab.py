"""`workbench lab`: JupyterLab on the reader's own copies, on this machine only, asking nobody.

The server listens on 127.0.0.1 behind a token. Its settings, histories and connection files lie in
`.jupyter/` beside the copies, so neither the home folder nor another JupyterLab's settings matter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.cli.checkout import checkout
from workbench.cli.copies import fill

__all__ = ["environment", "jupyterlab", "main"]

FIRST = "00_the_loop.ipynb"
SETTINGS = {  # JupyterLab's own defaults ask for news and updates, and list extensions to install
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
}
QUIET = {  # what the libraries would otherwise report or ask for
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MARIMO_SKIP_UPDATE_CHECK": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
}


def main(argv: Sequence[str]) -> None:
    """Copy what is lacking into `notebooks/mine`, then become JupyterLab."""
    parser = argparse.ArgumentParser(prog="workbench lab", description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", default=FIRST, help=f"what to open [{FIRST}]")
    parser.add_argument("--port", type=int, default=8888, help="the next free one is taken [8888]")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--folder", type=Path, help="where your copies are [notebooks/mine]")
    options = parser.parse_args(argv)
    notebooks = checkout() / "notebooks"
    mine = (options.folder or notebooks / "mine").resolve()
    for copy in fill(notebooks, mine):
        if copy.state == "a newer one is shipped":
            print(
                f"{copy.name}: {copy.state}; `workbench reset {copy.name}` takes it, yours is kept"
            )
    if not (mine / options.notebook).is_file():
        raise ValueError(f"{mine} has no {options.notebook}; `workbench reset` lists what it has")
    command = jupyterlab(mine, options.notebook, options.port, browser=not options.no_browser)
    print(f"JupyterLab opens {mine / options.notebook}; Ctrl-C stops it.", flush=True)
    os.execve(command[0], command, environment(mine))


def jupyterlab(mine: Path, notebook: str, port: int, *, browser: bool) -> list[str]:
    """The command that serves `mine`, and the settings file that it reads."""
    settings = mine / ".jupyter" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(SETTINGS, indent=1) + "\n")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={mine}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--Application.log_level=WARN",
        "--KernelManager.transport_encryption=auto",  # others may be logged in to this machine
        f"--LabApp.default_url=/lab/tree/{notebook}",
        f"--LabApp.app_settings_dir={settings}",
        f"--LabApp.user_settings_dir={mine / '.jupyter' / 'user-settings'}",
        f"--LabApp.workspaces_dir={mine / '.jupyter' / 'workspaces'}",
        "--LanguageServerManager.autodetect=False",  # it would ask npm where things are
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]
    if not browser:
        command.append("--ServerApp.open_browser=False")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often nobody else
    return command


def environment(mine: Path) -> dict[str, str]:
    """The process environment with every Jupyter and IPython folder moved below `mine`."""
    state = mine / ".jupyter"
    moved = {
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "IPYTHONDIR": str(state / "ipython"),
    }
    others = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTER_TOKEN", "JUPYTERLAB_SETTINGS_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in others}
    return kept | QUIET | moved
