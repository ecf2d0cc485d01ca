"""Configurations: what is accepted, and how mistakes are told."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from runkit.config import Config, differences, dump_toml, flatten, load
from runkit.errors import UserError


class Box(Config):
    length: float = Field(1.5, gt=0, le=10, description="edge [sigma]")
    walls: tuple[str, ...] = ("left",)

    @model_validator(mode="after")
    def _not_thirteen(self) -> Box:
        if self.length == 7:
            raise ValueError("length: 7 is unlucky")
        return self


class Case(Config):
    name: str = "x"
    n: int = Field(4, ge=2)
    kind: Literal["cold", "hot"] = "cold"
    limit: float | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    box: Box = Box()


def mistake(*overrides: str, path=None) -> str:
    with pytest.raises(UserError) as caught:
        load(Case, path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_file_beats_defaults_and_command_line_beats_file(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text('n = 5\nkind = "hot"\n[box]\nlength = 2.0\n')
    case = load(Case, path, ["box.length=3", "n=6"], defaults={"name": "y", "n": 7, "box": {"walls": ["a", "b"]}})
    assert (case.name, case.n, case.kind, case.box.length, case.box.walls) == ("y", 6, "hot", 3.0, ("a", "b"))


def test_values_are_toml_and_otherwise_text():
    case = load(Case, None, ["name=data/a b.h5", "box.walls=['a', 'b']", "parameters.cutoff=2.5", "limit=1e-3"])
    assert case.name == "data/a b.h5" and case.box.walls == ("a", "b")
    assert case.parameters == {"cutoff": 2.5} and case.limit == 1e-3


def test_one_value_stands_for_a_list_of_one():
    assert load(Case, None, ["box.walls=*.npz"]).box.walls == ("*.npz",)


def test_a_value_cannot_smuggle_in_a_second_key():
    assert load(Case, None, ["name=1\nn = 9"]).n == 4


def test_configurations_are_frozen():
    with pytest.raises(ValidationError):
        Case().n = 3  # type: ignore[misc]


def test_an_unknown_key_names_the_nearest():
    assert mistake("box.lenght=2") == "command line: unknown key 'box.lenght'; did you mean 'box.length'?"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("n=1", "n = 1 is not allowed; allowed: an integer >= 2"),
        ("n=2.5", "allowed: an integer >= 2"),
        ("n=true", "n = True is not allowed; allowed: an integer >= 2"),
        ("box.length=11", "box.length = 11 is not allowed; allowed: a number > 0 and <= 10"),
        ("box.length=nan", "allowed: a number > 0 and <= 10"),
        ("limit=inf", "limit = inf is not allowed; allowed: a number"),
        ("kind=warm", "kind = 'warm' is not allowed; allowed: one of 'cold', 'hot'"),
        ("box.length=7", "box: length: 7 is unlucky"),
        ("box=3", "box = 3 is not allowed; allowed: a table of length, walls"),
        ("box.walls=[1]", "allowed: a list of texts"),
        ("name=3", "name = 3 is not allowed; allowed: text"),
    ],
)
def test_a_bad_value_names_key_value_and_allowed_range(setting, told):
    message = mistake(setting)
    assert message.startswith("command line: ") and told in message


def test_a_mistake_in_a_file_names_the_file_and_counts_the_others(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text("n = 1\n[box]\nlength = -1\n")
    message = mistake(path=path)
    assert message.startswith(f"{path}: n = 1") and message.endswith("(and 1 more)")


def test_a_missing_or_broken_file_is_told(tmp_path):
    assert "No such file" in mistake(path=tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("n = = 1")
    assert "is not TOML" in mistake(path=tmp_path / "broken.toml")


def test_a_setting_without_a_key_is_refused():
    assert "write section.key=value" in mistake("=3")


def test_toml_of_a_configuration_gives_it_back(tmp_path):
    case = load(Case, None, ['name=a "b" \\ c', "box.walls=['x']", "parameters.deep.list=[1, 2.5]"])
    (tmp_path / "case.toml").write_text(dump_toml(case))
    assert load(Case, tmp_path / "case.toml") == case


def test_differences_name_dotted_keys_with_both_values():
    a, b = load(Case, None, ["parameters.x=1"]), load(Case, None, ["box.length=2", "box.walls=[]"])
    assert differences(a, b) == {
        "parameters": (None, {}),
        "parameters.x": (1, None),
        "box.length": (1.5, 2.0),
        "box.walls": (["left"], []),
    }
    assert not differences(a, flatten(a)) and not differences(a, a.model_dump(mode="json"))
