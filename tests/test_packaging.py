"""pyproject.toml, requirements.lock and environment.yml say the same, and name no address."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
HERE = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux"}
# Registries, mirrors and wheel stores; documentation pages of theirs would be no better.
ADDRESS = re.compile(
    r"pypi\.org|pythonhosted|download\.pytorch|anaconda\.org|nexus|artifactory|devpi"
    r"|--(extra-)?index-url|(extra-)?index-url\s*=|(DEFAULT_INDEX|INDEX_URL)\s*=|/simple/?[\s\"']"
)


def lock() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines]


def pins(environment=HERE) -> dict[str, str]:
    found = {}
    for requirement in lock():
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in found, f"{requirement.name} is pinned twice"
            (pin,) = requirement.specifier
            assert pin.operator == "==", requirement
            found[canonicalize_name(requirement.name)] = pin.version
    return found


def asked(extra: str) -> list[Requirement]:
    """What an extra asks for, extras of extras followed."""
    found = []
    for requirement in map(Requirement, EXTRAS[extra]):
        if requirement.name == PROJECT["name"]:
            found += [one for inner in requirement.extras for one in asked(inner)]
        else:
            found.append(requirement)
    return found


def test_every_line_of_the_lock_is_one_pin():
    assert len(pins()) > 200


@pytest.mark.parametrize("patch", ["3.11.0", "3.11.4", "3.11.5", "3.11.15"])
def test_the_lock_holds_for_every_python_3_11(patch):
    assert pins(HERE | {"python_full_version": patch}).keys() == pins().keys()


@pytest.mark.parametrize("extra", ["core", *sorted(set(EXTRAS) - {"gpu"})])
def test_the_lock_pins_what_is_asked_for_within_its_range(extra):
    # gpu is left out: CUDA libraries depend on the machine, `make lab TORCH=cuda` adds them
    requirements = asked(extra) if extra in EXTRAS else map(Requirement, PROJECT["dependencies"])
    locked = pins()
    wrong = [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert wrong == []


def test_the_core_is_light():
    core = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert core == {"deltalake", "narwhals", "numba", "numpy", "polars", "pyarrow"}


def test_nothing_of_cuda_is_in_the_lock():
    assert not [name for name in pins() if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_what_is_installed_is_what_is_locked():
    here = {}  # the real markers of this machine
    installed = {name: version(name).split("+")[0] for name in pins(here)}
    assert installed == pins(here)


def test_conda_gets_the_same_python_and_the_same_lock():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    entries = re.findall(r"^ *- +(.+?) *(?:#.*)?$", text, flags=re.MULTILINE)
    assert "python=3.11" in entries
    assert {"pip", "make", "cxx-compiler", "redis-server"} <= set(entries)
    assert {"-r requirements.lock", "-e ."} <= set(entries)
    assert PROJECT["requires-python"].startswith(">=3.11,")


def test_the_version_is_the_package_s():
    import workbench

    assert workbench.__version__ == PROJECT["version"]


def test_no_tracked_file_names_a_package_index_or_a_machine_s_folder():
    found = []
    for path in tracked():
        if path.suffix in {".png", ".parquet", ".gz", ".svg"} or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if ADDRESS.search(line) or re.search(r"(?<![\w.])/(work|root|home|Users|opt)/\w", line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert len(files) > 20
    return [path for path in files if path.is_file()]


def test_what_is_yours_stays_out_of_git():
    yours = ["data/public/x", "data/lab/a/log/x", "notebooks/mine/00_the_loop.ipynb", ".venv/x"]
    ignored = subprocess.run(
        ["git", "check-ignore", *yours], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ignored.stdout.split() == yours


@pytest.mark.parametrize("name", ["Makefile", ".ci/run", ".ci/services"])
def test_a_script_says_what_is_wrong_with_it(name):
    # neither runs anything: `make -n` and `sh -n` only read
    command = ["make", "-n", "test"] if name == "Makefile" else ["bash", "-n", name]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


def test_make_alone_lists_its_targets():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ["lab", "apps", "test", "bench", "services", "clean"]:
        assert f"\n  {target} " in shown


def test_another_python_is_refused_with_the_way_out(tmp_path):
    for name in ["python3.11", "python3", "python"]:
        (tmp_path / name).write_text(f"#!/bin/sh\nexec {sys.executable} -c 'raise SystemExit(1)'\n")
        (tmp_path / name).chmod(0o755)
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ["Makefile", "requirements.lock", "pyproject.toml"]:
        (clone / name).write_text((ROOT / name).read_text(encoding="utf-8"))
    refused = subprocess.run(
        ["make", "install"],
        cwd=clone,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert "Python 3.11 is needed" in refused.stderr
    assert not (clone / ".venv").exists()
