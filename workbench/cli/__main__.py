"""`python -m workbench.cli`, for when the console script is not on the path."""

from workbench.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
