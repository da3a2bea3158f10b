"""`workbench claims`: the textbook's claims, and what our notebooks measured of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from workbench.claims import ledger
from workbench.cli.checkout import checkout

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Print the ledger from the saved outputs of the shipped notebooks."""
    parser = argparse.ArgumentParser(
        prog="workbench claims",
        description="The ledger of claims, read from the saved outputs of the notebooks.",
    )
    parser.parse_args(argv)
    print(ledger(checkout() / "notebooks"))
