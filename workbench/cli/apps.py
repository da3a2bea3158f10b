"""`workbench apps`: the marimo apps as a gallery, on this machine only, behind a token."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence

from workbench.cli.checkout import checkout
from workbench.cli.lab import QUIET

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Become `marimo run` on all apps of `notebooks/apps`."""
    parser = argparse.ArgumentParser(prog="workbench apps", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=2718, help="[2718]")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    options = parser.parse_args(argv)
    notebooks = checkout() / "notebooks"
    folder, state = notebooks / "apps", notebooks / "mine" / ".marimo"
    if not list(folder.glob("*.py")):
        raise ValueError(f"{folder} holds no app (*.py)")
    command = [sys.executable, "-m", "marimo", "run", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(options.port)]
    command += ["--token", "--token-password-file", "-"]
    if options.no_browser:
        command.append("--headless")
    _say_on_stdin(secrets.token_urlsafe(16))
    moved = {"XDG_CONFIG_HOME": str(state), "XDG_CACHE_HOME": str(state)}
    os.execve(command[0], command, {**os.environ, **QUIET, **moved})


def _say_on_stdin(token: str) -> None:
    """Marimo's own token is a hash, and the list of processes shows what an option says."""
    read, write = os.pipe()
    os.write(write, token.encode())
    os.close(write)
    os.dup2(read, 0)
