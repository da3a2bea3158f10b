"""The shape of the code, read from its syntax trees: who imports whom, and the smells of drift."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = {"data", "labeling", "features", "training", "tracking", "serving", "experiments"}
STAGES |= {"monitoring"}
USES = {"fraud", "recommender", "search"}
BOTTOM_PACKAGES = {"events", "contracts", "journal", "policy", "outcomes", "metrics"}
MARKETPLACE_MAY = {"events", "contracts", "policy", "assign", "rename", "marketplace"}
TRUTH_MAY = {"marketplace", "studies"}
VAGUE_FILES = {"utils", "util", "helpers", "helper", "common", "constants", "base", "misc"}
VAGUE_CLASSES = ("Manager", "Handler", "Utils", "Base")


def layer(part: str, root: Path) -> int:
    """How high a part of the package stands; it may import what stands lower, and itself."""
    for height, parts in enumerate([STAGES, USES, {"studies"}, {"widgets"}, {"cli"}], start=1):
        if part in parts:
            return height
    known = part in BOTTOM_PACKAGES or (root / "workbench" / f"{part}.py").is_file()
    return 0 if known else -1


def imported_parts(path: Path, root: Path) -> set[str]:
    """The parts of workbench that a file imports, also relatively and inside functions."""
    package = list(path.relative_to(root).with_suffix("").parts)[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join(up + ([node.module] if node.module else []))
            names |= {f"{origin}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    paths = [name.split(".") for name in names if isinstance(name, str)]
    return {path[1] for path in paths if path[0] == "workbench" and len(path) > 1}


def forbidden_imports(root: Path) -> list[str]:
    """Every import that chapter 4 of the design does not allow."""
    found = []
    for path in python_files(root, "workbench"):
        inside = path.relative_to(root / "workbench").with_suffix("").parts
        if inside == ("__init__",):
            continue  # the lazy map of everything
        part = inside[0]
        parts = imported_parts(path, root) & known_parts(root)
        if part == "marketplace":
            bad = parts - MARKETPLACE_MAY
        else:
            height = layer(part, root)
            if height < 0:
                found.append(f"{path.relative_to(root)}: no layer has a place for {part!r}")
            bad = {other for other in parts - {part} if layer(other, root) >= max(height, 1)}
            bad |= {"marketplace"} & parts if part != "cli" else set()
        found += [f"{path.relative_to(root)} imports {other}" for other in sorted(bad)]
    return found


def smells(root: Path) -> list[str]:
    """Long files, vague names, column parameters, and the truth where it does not belong."""
    found = []
    for path in python_files(root, "workbench", "benchmarks", "tests"):
        text = path.read_text(encoding="utf-8")
        where, inside = path.relative_to(root), path.relative_to(root).with_suffix("").parts
        lines = len(text.splitlines())
        found += [f"{where} has {lines} lines, 300 is the limit"] if lines > 300 else []
        found += [f"{where}: {name} says nothing" for name in inside if name in VAGUE_FILES]
        if inside[0] == "tests":
            continue
        for node in ast.walk(ast.parse(text)):
            line = f"{where}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ClassDef) and node.name.endswith(VAGUE_CLASSES):
                found.append(f"{line}: class {node.name} says nothing")
            if isinstance(node, ast.arg) and node.arg.startswith("col_") and inside[1] != "rename":
                found.append(f"{line}: parameter {node.arg}: columns have one name")
            names = {getattr(node, key, None) for key in ("id", "attr", "arg", "name")}
            if "truth" in names and inside[0] == "workbench" and inside[1] not in TRUTH_MAY:
                found.append(f"{line}: truth is not for {inside[1]}")
    return found


def notebook_classes(root: Path) -> list[str]:
    """Every class that a notebook cell defines."""
    found = []
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts or "mine" in path.parts:
            continue
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            code = "\n".join("" if line.lstrip()[:1] in "%!" and line.strip() else line
                             for line in source.splitlines())  # fmt: skip
            if cell["cell_type"] == "code" and any(
                isinstance(node, ast.ClassDef) for node in ast.walk(ast.parse(code))
            ):
                found.append(f"{path.relative_to(root)} defines a class: move it to the library")
    return found


def python_files(root: Path, *folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]


def known_parts(root: Path) -> set[str]:
    return {
        entry.stem
        for entry in (root / "workbench").iterdir()
        if entry.suffix == ".py" or entry.is_dir()
    }


def test_files_are_found_to_be_checked():
    assert len(python_files(ROOT, "workbench")) > 10
    assert len(python_files(ROOT, "tests")) > 3


@pytest.mark.parametrize("rule", [forbidden_imports, smells, notebook_classes])
def test_the_project_keeps_its_shape(rule):
    assert rule(ROOT) == []


PLANTED = {
    "workbench/features/a.py": "from workbench import training",
    "workbench/features/b.py": "from ..training import fit",
    "workbench/features/c.py": "def f():\n    import workbench.fraud.rules",
    "workbench/features/d.py": "from .. import training",
    "workbench/features/e.py": "import importlib\nimportlib.import_module('workbench.training')",
    "workbench/events.py": "from workbench.features import count",
    "workbench/studies/a.py": "from workbench.marketplace import Marketplace",
    "workbench/events2.py": "if 1:\n    from .marketplace.world import Marketplace",
    "workbench/marketplace/a.py": "from workbench import lab",
    "workbench/fraud/a.py": "import workbench.recommender",
    "workbench/oddities/a.py": "x = 1",
}


@pytest.mark.parametrize(("name", "code"), PLANTED.items(), ids=PLANTED)
def test_a_planted_import_is_found(name, code, tmp_path):
    plant(tmp_path, {name: code})
    assert [line for line in forbidden_imports(tmp_path) if line.startswith(name)]


@pytest.mark.parametrize(
    ("name", "code"),
    {
        "workbench/features/a.py": "from workbench.features.b import x\nfrom . import b",
        "workbench/studies/a.py": "from workbench import fraud, training, events",
        "workbench/events.py": "from workbench.rename import rename",
        "workbench/marketplace/a.py": "from workbench.policy import decide\nfrom .spec import S",
        "workbench/cli.py": "from workbench.marketplace import Marketplace",
    }.items(),
)
def test_an_allowed_import_passes(name, code, tmp_path):
    plant(tmp_path, {name: code})
    assert forbidden_imports(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "code"),
    {
        "workbench/events.py": "x = 1\n" * 301,
        "tests/test_long.py": "x = 1\n" * 301,
        "workbench/features/utils.py": "x = 1",
        "workbench/a.py": "class LogManager: pass",
        "workbench/b.py": "def f(col_user): pass",
        "workbench/features/c.py": "def f(world): return world.truth.fraud()",
        "workbench/features/d.py": "def f(truth): return 1",
        "workbench/e.py": "from somewhere import truth",
    }.items(),
    ids=lambda value: value[:30],
)
def test_a_planted_smell_is_found(name, code, tmp_path):
    plant(tmp_path, {name: code})
    assert smells(tmp_path)


def test_a_class_in_a_notebook_is_found(tmp_path):
    cell = {"cell_type": "code", "source": ["%time x = 1\n", "class Model:\n", "    pass\n"]}
    plant(tmp_path, {"notebooks/00_x.ipynb": json.dumps({"cells": [cell]})})
    assert notebook_classes(tmp_path)


def plant(root: Path, files: dict[str, str]) -> None:
    """A small project with the given files beside one empty module of each part."""
    bottoms = ["events", "contracts", "assign", "rename", "lab"]
    packages = STAGES | USES | {"studies", "widgets", "marketplace", "policy"}
    files = {f"workbench/{name}.py": "" for name in bottoms} | files
    files |= {f"workbench/{name}/__init__.py": "" for name in packages}
    for name, code in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
