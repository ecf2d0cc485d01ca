"""Registries: parts find their names, mistakes are told."""

from __future__ import annotations

import sys

import pytest

from runkit.errors import UserError
from runkit.registry import Registry


@pytest.fixture
def shape(tmp_path, monkeypatch):
    """A registry whose package holds one module with two parts."""
    package = tmp_path / "shapes_of_test"
    package.mkdir()
    (package / "__init__.py").write_text("from runkit.registry import Registry\nshape = Registry('shape', __name__)\n")
    (package / "round.py").write_text(
        "from shapes_of_test import shape\n"
        "@shape('circle')\n"
        "def circle(radius, sides=0):\n"
        "    if radius < 0:\n"
        "        raise ValueError('radius is negative')\n"
        "    return ('circle', radius)\n"
        "@shape('any')\n"
        "def anything(**parameters):\n"
        "    return parameters\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from shapes_of_test import shape

    yield shape
    for name in [name for name in sys.modules if name.startswith("shapes_of_test")]:
        del sys.modules[name]


def test_modules_of_the_package_are_imported_at_first_look_up(shape):
    assert "shapes_of_test.round" not in sys.modules
    assert shape.names() == ("any", "circle")
    assert shape.build("circle", radius=2) == ("circle", 2)


def test_an_unknown_name_tells_the_nearest_and_all(shape):
    with pytest.raises(UserError, match=r"unknown shape 'cirle'; did you mean 'circle'\?; known: any, circle"):
        shape.get("cirle")


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"radus": 1}, r"shape 'circle' has no parameter 'radus'; did you mean 'radius'\?; allowed: radius, sides"),
        ({"sides": 1}, "shape 'circle' needs parameter 'radius'; given: sides"),
        ({"radius": -1}, "shape 'circle': radius is negative"),
        ({"radius": "big"}, "shape 'circle': "),
    ],
)
def test_wrong_parameters_are_told(shape, parameters, told):
    with pytest.raises(UserError, match=told):
        shape.build("circle", **parameters)


def test_a_part_may_take_any_parameters(shape):
    assert shape.build("any", a=1) == {"a": 1}


def test_a_repeated_name_is_an_error():
    part = Registry("part", "runkit")
    part("x")(len)
    with pytest.raises(ValueError, match="two parts are named part 'x'"):
        part("x")(max)


def test_parameters_that_the_program_gives_are_no_choice_of_the_user(shape):
    given = Registry("shape", shape.package, supplied=["sides"])
    given("circle")(shape.get("circle"))
    given._complete = True
    assert [*given.parameters("circle")] == ["radius", "sides"] and [*given.choices("circle")] == ["radius"]
    assert given.build("circle", radius=2, sides=3) == ("circle", 2)
    with pytest.raises(UserError, match=r"has no parameter 'side'; allowed: radius$"):
        given.check("circle", {"radius": 1, "side": 3})
