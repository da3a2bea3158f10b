"""Where the notebooks are: the checkout that this package runs from, or the folder we stand in."""

from __future__ import annotations

from pathlib import Path

__all__ = ["checkout"]


def checkout() -> Path:
    """The root of the checkout that holds `notebooks/`.

    The package's own checkout first (an editable installation), then the current folder and those
    above it.

    Raises
    ------
    ValueError
        If there is no checkout: an installed package has no notebooks.

    Examples
    --------
    >>> (checkout() / "pyproject.toml").is_file()
    True
    """
    here = Path.cwd()
    for folder in (Path(__file__).resolve().parents[2], here, *here.parents):
        project = folder / "pyproject.toml"
        if (
            (folder / "notebooks").is_dir()
            and project.is_file()
            and 'name = "mlsys-workbench"' in project.read_text(encoding="utf-8")
        ):
            return folder
    raise ValueError(
        f"no checkout at {here} or above it: notebooks and apps come with the repository, "
        "not with the installed package; run this in a clone"
    )
