"""Drawing the cases of a run, and refusing those that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lbmgen import plan
from lbmgen.cases import draw_all, draw_case
from lbmgen.config import RunConfig
from lbmgen.plan import group_of, require_whole_records, show
from runkit.config import load
from runkit.errors import UserError
from runkit.mpi import SerialWorld

SMALL = ("n_cases=4", "grid.cells=[48, 32]", "obstacles.diameter=[4, 5]")


def config_of(*settings: str) -> RunConfig:
    """A small configuration with changes."""
    return load(RunConfig, None, [*SMALL, *settings])


def test_a_case_depends_on_seed_and_number_alone():
    """The same case comes first or last, in a small run or a large one; another seed gives others."""
    few, many = draw_all(config_of(), SerialWorld()), draw_all(config_of("n_cases=8"), SerialWorld())
    assert few == many[:4] and draw_case(config_of(), 2) == few[2]
    assert draw_case(config_of("seed=2"), 2) != few[2]


def test_the_default_cases_are_sound_and_differ():
    """All families occur, and every relaxation time is one that the law allows."""
    cases = draw_all(RunConfig(n_cases=30), SerialWorld())
    assert {body.family for case in cases for body in case.bodies} == {"circle", "ellipse", "blob"}
    assert all(0.506 <= case.tau < 0.6 and 100 <= case.reynolds <= 200 for case in cases)
    assert len({case.reynolds for case in cases}) == 30


def test_viscosity_follows_from_the_reynolds_number():
    """Re = U L / nu, with L the extent of the largest body across the flow, and tau = 3 nu + 1/2."""
    case = draw_case(config_of("obstacles.families=[{family='circle'}]"), 0)
    assert case.length == pytest.approx(case.bodies[0].size)
    assert case.reynolds == pytest.approx(case.velocity * case.length / ((case.tau - 0.5) / 3))


def test_the_description_tells_what_was_drawn():
    """From it the same distance field can be made again."""
    from lbmgen.obstacles.placed import PlacedShape

    case = draw_case(config_of(), 1)
    about = json.loads(case.description())
    points = np.random.default_rng(0).uniform(0, 60, (50, 2))
    again = PlacedShape.from_dict(about["obstacles"][0]).distance(points)
    np.testing.assert_array_equal(again, case.distance(points))
    assert about["reynolds_number"] == case.reynolds


def test_given_bodies_are_those_of_every_case():
    """They count in cells and stand where they are put."""
    table = "obstacles.given=[{family='circle', center=[12, 16], size=6}, {family='ellipse', center=[24, 8], size=6}]"
    cases = draw_all(config_of(table, "obstacles.blockage=0.5"), SerialWorld())
    assert all(case.bodies == cases[0].bodies for case in cases)
    assert cases[0].bodies[0].center == (24.0, 32.0) and cases[0].bodies[0].size == 12.0


@pytest.mark.parametrize(
    "settings, words",
    [
        (("grid.cells=[2, 2]",), ("grid.cells", "4 to")),
        (("obstacles.families=[]",), ("obstacles.families", "at least 1")),
        (("obstacles.diameter=[9, 7]",), ("obstacles.diameter", "[low, high]")),
        (("flow.reynolds=9000",), ("flow.reynolds", "tau", "0.506")),
        (("flow.reynolds=[0, 10]",), ("flow.reynolds", "above 0")),
        (("flow.velocity=0.15",), ("flow.velocity", "Mach", "0.17")),
        (("flow.force=[1e-5]",), ("flow.force", "2 numbers")),
        (("obstacles.diameter=1.5",), ("thickness", "diameter")),
        (("obstacles.diameter=12",), ("obstacles", "blockage")),
        (("obstacles.given=[{family='circle', center=[12, 16], size=1}]",), ("2 sites thick", "diameter")),
        (("obstacles.given=[{family='circle', center=[12, 16], size=16}]",), ("cross-section", "obstacles.blockage")),
        (("obstacles.given=[{family='circle', size=3}]",), ("obstacles.given", "center")),
        (("obstacles.given=[{family='circle', center=[100, 6], size=3}]",), ("center = [100", "0 to")),
        (("obstacles.families=[{family='cirle'}]",), ("cirle", "circle")),
        (("boundaries.x_low.kind=inlet",), ("boundaries.x_low", "inlet", "velocity")),
        (("boundaries.y_low={}",), ("boundaries.y_low", "kind")),
        (("boundaries.y_low.kind=periodic",), ("axis y", "periodic")),
        (("boundaries.x_low={kind='velocity', profile='round'}",), ("boundaries.x_low", "profile", "parabolic")),
        (("grid.lattice=D3Q19",), ("grid.cells", "3 numbers, or grid.lattice = D2Q9")),
        (("grid.cells=[8, 8, 8]",), ("grid.cells", "2 numbers, or grid.lattice = D3Q19 or D3Q27")),
        (("collision.name=bkg",), ("bkg", "bgk")),
        (("collision.name=trt", "collision.parameters.magic=3"), ("magic", "1")),
    ],
)
def test_what_cannot_be_is_refused_with_the_key_to_change(settings, words):
    """The line names the key, the value and what is allowed."""
    with pytest.raises(UserError) as refused:
        draw_all(config_of(*settings), SerialWorld())
    assert all(word in str(refused.value) for word in words), str(refused.value)
    assert "\n" not in str(refused.value)


def test_force_records_fill_the_time_between_frames():
    """A window that does not divide it is refused with those that do."""
    with pytest.raises(UserError, match=r"frames.force_every = 7.*1, 2, 4, 5, 10"):
        require_whole_records(config_of("frames.force_every=7"))


@pytest.mark.parametrize("n_ranks, per_case", [(1, 1), (7, 2), (64, 4), (5, 5)])
def test_groups_have_the_ranks_that_were_asked_for_or_one_more(n_ranks, per_case):
    """Neighbours stay together, and no rank is left out."""
    groups = [group_of(rank, n_ranks, per_case) for rank in range(n_ranks)]
    sizes = np.bincount(groups)
    assert groups == sorted(groups) and sizes.min() >= per_case and sizes.max() - sizes.min() <= 1


def test_show_says_what_a_run_will_do(capsys):
    """File, cases, bodies, relaxation times, ranks, memory and cost."""
    show(config_of())
    told = capsys.readouterr().out
    assert all(f"# {word} " in told for word in ("file", "cases", "bodies", "tau", "ranks", "memory", "cost"))
    assert "4 of 96 x 64 sites" in told


def test_show_tells_the_peak_of_an_inlet_that_pulsates(capsys):
    show(config_of("flow.velocity=0.05", "flow.pulsation=0.5", "flow.period=400"))
    assert "at its peak 0.075 to 0.075, in waves of 400 steps" in capsys.readouterr().out


def test_show_draws_no_more_cases_than_a_reader_waits_for(capsys, monkeypatch):
    """And says so; what all cost is known without."""
    monkeypatch.setattr(plan, "DRAWN", 3)
    show(config_of())
    told = capsys.readouterr().out
    assert "4 of 96 x 64 sites" in told and told.count(", in the first 3 cases") == 3
