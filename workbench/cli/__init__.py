"""The `workbench` command: one word, then that word's own options.

A command is one line in `COMMANDS` and one function `main(argv) -> exit code or None`, in a file of
this folder, with its own `argparse` parser. The file is imported when its command is called and
not before, so `workbench --help` stays instant.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

__all__ = ["COMMANDS", "main"]

COMMANDS = {  # word -> (help, "module:function")
    "lab": ("open JupyterLab on your copies of the notebooks", "workbench.cli.lab:main"),
    "apps": ("open the gallery of marimo apps", "workbench.cli.apps:main"),
    "reset": ("list your notebooks, or restore one as it was shipped", "workbench.cli.reset:main"),
    "loop": ("run the whole loop headless and print the scorecard", "workbench.cli.loop:main"),
    "world": ("let a marketplace run for some days into a log", "workbench.cli.world:main"),
    "claims": ("print the ledger of claims from the notebooks", "workbench.cli.claims:main"),
    "bench": ("measure us, a peer and the raw limit side by side", "workbench.cli.bench:main"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when it worked, 1 when it failed, 2 when misspelt.

    Parameters
    ----------
    argv : sequence of str, optional
        Command and options. Default: those of the process.

    Examples
    --------
    >>> main(["--version"])
    workbench 0.1.0
    0
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    word = argv[0] if argv else "--help"
    if word in ("-h", "--help"):
        print(_help())
        return 0
    if word in ("-V", "--version"):
        import workbench

        print(f"workbench {workbench.__version__}")
        return 0
    if word not in COMMANDS:
        print(f"workbench: no command {word!r}; one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module, function = COMMANDS[word][1].split(":")
    command = getattr(importlib.import_module(module), function)
    try:
        return command(argv[1:]) or 0
    except BrokenPipeError:  # `workbench claims | head`
        return 0
    except (ValueError, OSError) as error:  # ours, and worded for a reader; the rest are bugs
        print(f"workbench {word}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {word:<{width}}  {text}" for word, (text, _) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: workbench COMMAND [options]",
            "",
            *lines,
            "",
            "`workbench COMMAND --help` explains one command.",
        ]
    )
