"""`workbench reset`: which notebooks did I change? `workbench reset 00`: give me that one back."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from workbench.cli.checkout import checkout
from workbench.cli.copies import Copy, copies, restore

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """List the working copies, or restore those that are named; what was changed is kept."""
    parser = argparse.ArgumentParser(
        prog="workbench reset",
        description="Without a name: list your notebooks. With one: restore it as it was shipped; "
        "what you had changed is kept in backups/.",
    )
    parser.add_argument("name", nargs="*", help="00, 00_the_loop or solutions/00")
    parser.add_argument("--folder", type=Path, help="where your copies are [notebooks/mine]")
    options = parser.parse_args(argv)
    notebooks = checkout() / "notebooks"
    mine = (options.folder or notebooks / "mine").resolve()
    known = copies(notebooks, mine)
    if not options.name:
        for copy in known:
            print(f"{copy.name:<44} {copy.state}")
        return
    for copy in [_named(name, known) for name in options.name]:
        backup = restore(copy, mine)
        kept = f"; what you had is {_short(backup)}" if backup else ""
        print(f"{_short(copy.mine)} is as shipped{kept}")


def _named(name: str, known: list[Copy]) -> Copy:
    """The one notebook that `name` begins."""
    wanted = name.removeprefix("notebooks/").removeprefix("mine/")
    fits = [copy for copy in known if copy.name in (wanted, f"{wanted}.ipynb")]
    fits = fits or [copy for copy in known if wanted and copy.name.startswith(wanted)]
    if wanted == "solutions" or len(fits) != 1:
        among = ", ".join(copy.name for copy in (fits or known))
        found = "no notebook is" if not fits else f"{len(fits)} notebooks are"
        raise ValueError(f"{found} called {name!r}; there are {among}")
    return fits[0]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
