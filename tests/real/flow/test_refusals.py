"""What cannot be right is refused before it runs: a configuration, and the line that it gets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.real.flow.program import refusal, shown

CHANNEL = (
    "boundaries.x_low={kind='velocity', profile='parabolic'}",
    "boundaries.x_high.kind=pressure",
    "boundaries.y_low.kind=no-slip",
    "boundaries.y_high.kind=no-slip",
)
DUCT = (
    "grid.lattice=D3Q19",
    "grid.cells=[24, 16, 16]",
    "grid.refinement=1",
    "flow.reynolds=20",
    "obstacles.count=0",
    *CHANNEL,
    "boundaries.z_low.kind=no-slip",
    "boundaries.z_high.kind=no-slip",
)
PERIODIC = ("boundaries.x_low.kind=periodic", "boundaries.x_high.kind=periodic")
CAVITY = (
    *(f"boundaries.{face}.kind=no-slip" for face in ("x_low", "x_high", "y_low")),
    "boundaries.y_high={kind='no-slip', velocity=[0.08, 0.0]}",
    "obstacles.count=0",
    "grid.cells=[32, 32]",
)


def given(*bodies: str) -> str:
    return f"obstacles.given=[{', '.join(bodies)}]"


def circle(x: float, y: float, size: float = 4) -> str:
    return f"{{family='circle', center=[{x}, {y}], size={size}}}"


REFUSALS = {
    "the peak of a duct is 2.1 times its mean": ((*DUCT, "flow.velocity=0.065"), "Mach number of 0.236 at its peak"),
    "the peak of a channel is 1.5 times its mean": ((*CHANNEL, "flow.velocity=0.07"), "Mach number of 0.182"),
    "a pulse is faster than its mean": (("flow.velocity=0.08", "flow.pulsation=0.5"), "Mach number of 0.208"),
    "a lid is as fast as an inlet": (
        ("boundaries.y_high={kind='no-slip', velocity=[0.12, 0.0]}",),
        "Mach number of 0.208",
    ),
    "a parabola needs walls": (
        ("boundaries.x_low={kind='velocity', profile='parabolic'}",),
        "'parabolic' needs a no-slip wall",
    ),
    "an inlet needs a way out": (("boundaries.x_high.kind=no-slip",), "there is no open face"),
    "an inlet's own velocity is that of the flow": (
        ("boundaries.x_low={kind='velocity', velocity=0.04}",),
        "boundaries.x_low: velocity = 0.04 contradicts flow.velocity = 0.08",
    ),
    "an inlet does not suck": (
        ("boundaries.x_low={kind='velocity', velocity=-0.08}",),
        "boundaries.x_low: velocity = -0.08 contradicts",
    ),
    "a lid's velocity is that of the flow": ((*CAVITY, "flow.velocity=0.05"), "boundaries.y_high: velocity = 0.08"),
    "beside a lid the least tau is larger": ((*CAVITY, "flow.reynolds=1000"), "beside boundaries.y_high, which slides"),
    "before an outlet of pressure, too": (
        ("boundaries.x_high.kind=pressure",), "with boundaries.x_high, which reflects sound (allowed: 0.54 or more)"),
    "a sphere in a duct blocks it": (
        (*DUCT, "flow.velocity=0.03", "obstacles.given=[{family='sphere', center=[12, 8, 8], size=13}]",
         "obstacles.clearance=2"),
        "take 0.5",
    ),
    "a bar across a duct blocks it": (
        (*DUCT, "flow.velocity=0.03", "obstacles.given=[{family='circle', center=[12, 8, 8], size=8}]"),
        "take 0.5",
    ),
    "given bodies do not overlap": ((given(circle(12, 16), circle(14, 17)),), "bodies 0 and 1"),
    "given bodies are not half a site apart": ((given(circle(12, 12), circle(12, 16.25)),), "bodies 0 and 1"),
    "a given body is not on the inlet": ((given(circle(1, 16)),), "-2 sites from boundaries.x_low"),
    "a crack beside a wall is no fluid": ((given(circle(12, 2.25)),), "0.5 sites from boundaries.y_low"),
    "a body keeps from its own image": ((*PERIODIC, "flow.force=[1e-6, 0]", given(circle(4, 16, 47))), "obstacles"),
    "all cases alike": ((given(circle(12, 16)), "flow.disturbance=0", "flow.reynolds=100"), "n_cases = 2: all cases"),
    "more bodies than a description holds": (
        ("grid.cells=[256, 128]", "flow.reynolds=40", "obstacles.blockage=0.5",
         given(*(circle(20.123456789 + 12 * k, 12.123456789 + 25 * j) for k in range(6) for j in range(4)))),
        "a case with 24 bodies has",
    ),
    "no bodies fewer than none": (("obstacles.count=-1",), "obstacles.count: [-1.0] is not allowed"),
    "no half bodies": (("obstacles.count=1.5",), "whole numbers"),
    "no room for so many": (("obstacles.count=1000",), "count = 1000"),
    "no body without size": (("obstacles.diameter=[0, 8]",), "obstacles.diameter: [0.0, 8.0]"),
    "no flow without velocity": (("flow.velocity=0",), "flow.velocity: [0.0] is not allowed"),
    "no flow backwards": (("flow.velocity=-0.05",), "flow.velocity: [-0.05]"),
    "a centre is numbers": ((given("{family='circle', center=['a', 'b'], size=4}"),), "center of 2 numbers"),
    "a size is a number": ((given("{family='circle', center=[12, 16], size='big'}"),), "size"),
    "a kind is a word": (("boundaries.x_low.kind=[1]",), "boundaries.x_low: unknown boundary"),
    "a family is a word": (("obstacles.families=[{family=3}]",), "unknown obstacle 3"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_a_flow_that_cannot_be_right_is_refused(what):
    configuration, words = REFUSALS[what]
    assert words in refusal(*configuration)


PLANS = {
    "bodies in tandem shade each other": (given(circle(12, 16, 8), circle(30, 16, 8)), "obstacles.blockage=0.3"),
    "a body may stand on a wall": (
        given("{family='polygon', center=[12, 0.5], size=9}"), *CHANNEL, "flow.velocity=0.05", "flow.reynolds=20"),
    "inlets may let out what others let in": (
        "boundaries.x_high={kind='velocity', velocity=-0.08}", "boundaries.x_low={kind='velocity'}"),
    "the inlet may say what the flow says": ("boundaries.x_low={kind='velocity', velocity=0.08}",),
    "a side inlet has a velocity of its own": ("boundaries.y_low={kind='velocity', velocity=0.01}",),
    "a cavity at a larger tau": (*CAVITY, "flow.reynolds=100", "flow.disturbance=0.1"),
    "cases alike start unlike": (given(circle(12, 16)), "flow.reynolds=100"),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANS)
def test_a_flow_that_can_be_right_is_planned(what):
    code, out, err = shown(*PLANS[what])
    assert code == 0 and "# cost" in out, err


FILES = {
    "mask.npy": (np.pad(np.ones((8, 8)), 4), "neither a mask (bool or integers) nor a signed distance"),
    "body.stl": (b"solid body\nendsolid body\n", "allowed: a .npy or .npz file"),
    "broken.npy": (b"no array", "cannot be read as .npy or .npz"),
    "none.npy": (None, "no such file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_body_file_that_is_none_is_told_from_others(tmp_path, name):
    content, words = FILES[name]
    if isinstance(content, np.ndarray):
        np.save(tmp_path / name, content)
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    told = refusal(f"obstacles.families=[{{family='file', path='{tmp_path / name}', diameter=8.0}}]")
    assert words in told and name in told and "pickle" not in told


def test_the_peak_of_an_inlet_is_told():
    """Before anything runs, beside its mean."""
    told = shown(*DUCT, "flow.velocity=0.045")[1]
    assert "velocity   0.045 to 0.045, at its peak 0.09433 to 0.09433" in told


def test_a_nominal_velocity_is_called_so():
    """Nothing sets the speed of a flow that a force drives."""
    driven = (*PERIODIC, "flow.force=[1e-6, 0]", "flow.reynolds=20")
    assert "nominal" in shown(*driven)[1] and "nominal" not in shown()[1]
