"""`import workbench`: five names, a map of parts, nothing loaded before it is used."""

import subprocess
import sys

import pytest

import workbench


@pytest.mark.parametrize("name", workbench.__all__)
def test_a_name_is_the_same_thing_whichever_way_it_is_imported(name):
    # a file of the same name must never take the function's place
    home = workbench._HOME[name]
    for lines in [
        f"import workbench as wb; import workbench.{home}; thing = wb.{name}",
        f"import workbench as wb; wb.{name}; import workbench.{home}; thing = wb.{name}",
        f"from workbench.{home} import {name} as thing; from workbench import {name}; "
        f"assert thing is {name}",
    ]:
        check = f"{lines}; assert callable(thing) and thing.__name__ == {name!r}"
        ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
        assert ran.returncode == 0, f"{lines}\n{ran.stderr}"


def test_a_part_is_loaded_when_it_is_named():
    code = "import workbench as wb, sys; assert 'workbench.metrics' not in sys.modules; wb.metrics"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_part_is_on_the_map_and_everything_on_the_map_may_be_listed():
    assert set(workbench._PARTS) <= set(dir(workbench))
    assert {"EventLog", "Lab", "decide", "outcomes", "rename"} <= set(dir(workbench))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'evnts'"):
        workbench.evnts  # noqa: B018
