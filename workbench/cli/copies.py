"""Working copies of the notebooks, so that running and changing them never dirties git.

    notebooks/*.ipynb            ──►  notebooks/mine/*.ipynb             copied once, then yours
    notebooks/solutions/*.ipynb  ──►  notebooks/mine/solutions/*.ipynb

A copy counts as changed when the text of its cells differs; running it alone changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Copy", "copies", "fill", "restore"]

RECORD = ".originals.json"  # in mine/: name -> digest of the original that was copied


@dataclass(frozen=True)
class Copy:
    """One notebook: as shipped, and as it is in the reader's folder."""

    name: str  # "00_the_loop.ipynb", "solutions/00_the_loop.ipynb"
    original: Path
    mine: Path
    state: str  # "absent", "as shipped", "changed by you", "a newer one is shipped", "unreadable"


def copies(notebooks: Path, mine: Path) -> list[Copy]:
    """Every shipped notebook and the state of its copy, by name, the solutions last.

    Raises
    ------
    ValueError
        If `notebooks` holds no notebook.
    """
    originals = sorted(notebooks.glob("*.ipynb")) + sorted(notebooks.glob("solutions/*.ipynb"))
    if not originals:
        raise ValueError(f"{notebooks} holds no notebook (*.ipynb)")
    record = _read(mine)
    return [
        _compare(path, path.relative_to(notebooks).as_posix(), mine, record) for path in originals
    ]


def fill(notebooks: Path, mine: Path) -> list[Copy]:
    """Copy what `mine` lacks and return all copies as they now are. Never overwrites one."""
    lacking = [copy for copy in copies(notebooks, mine) if copy.state == "absent"]
    for copy in lacking:
        _take(copy, mine)
    return copies(notebooks, mine)


def restore(copy: Copy, mine: Path) -> Path | None:
    """Take the shipped notebook again. Returns the backup of a copy that was changed.

    A copy that only ran is replaced without a backup: running it again gives its outputs back.
    """
    backup = None
    if copy.mine.exists() and copy.state != "as shipped":
        moment = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        backup = mine / "backups" / f"{copy.name.replace('/', '_')[:-6]}.{moment}.ipynb"
        backup.parent.mkdir(parents=True, exist_ok=True)
        os.replace(copy.mine, backup)
    _take(copy, mine)
    return backup


def _compare(original: Path, name: str, mine: Path, record: dict[str, str]) -> Copy:
    target = mine / name
    if not target.exists():
        return Copy(name, original, target, "absent")
    shipped, own = _digest(original), _digest(target)
    if own is None:
        state = "unreadable"
    elif own == shipped:
        state = "as shipped"
    elif record.get(name, shipped) != shipped:
        state = "a newer one is shipped"
    else:
        state = "changed by you"
    return Copy(name, original, target, state)


def _take(copy: Copy, mine: Path) -> None:
    copy.mine.parent.mkdir(parents=True, exist_ok=True)
    new = copy.mine.with_name(f".{copy.mine.name}.new")
    shutil.copyfile(copy.original, new)
    os.replace(new, copy.mine)  # whole or absent
    record = _read(mine) | {copy.name: _digest(copy.original)}
    new = mine / f"{RECORD}.new"
    new.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(new, mine / RECORD)


def _read(mine: Path) -> dict[str, str]:
    try:
        record = json.loads((mine / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}  # without it a copy is only ever "changed by you": never lost
    return record if isinstance(record, dict) else {}


def _digest(notebook: Path) -> str | None:
    """Of the kinds and texts of the cells; None for a file that is no notebook."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
