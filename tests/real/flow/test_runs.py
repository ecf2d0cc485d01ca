"""What files of flow hold: forces, velocities, starts and failures as a reader takes them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from lbmgen import reorder
from lbmgen.cases import draw_case
from lbmgen.config import RunConfig
from lbmgen.run import generate
from lbmgen.simulation import wall_scale
from runkit.config import load
from runkit.dataset.check import check
from runkit.dataset.contracts.flow import FLOW, POINTS
from runkit.dataset.outcome import NOTHING_USABLE, PARTLY_FAILED
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.verify import verify
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.files import arrays

SMALL = (
    "device=cpu", "n_cases=1", "grid.cells=[32, 24]", "grid.refinement=1", "obstacles.diameter=6",
    "obstacles.families=[{family='circle'}]", "obstacles.upstream=1", "obstacles.downstream=1", "flow.reynolds=20",
    "collision.precision=float64", "frames.count=3", "frames.every=20", "frames.warm_up=0.2",
)  # fmt: skip
PERIODIC = ("boundaries.x_low.kind=periodic", "boundaries.x_high.kind=periodic")
WALLS = ("boundaries.y_low.kind=no-slip", "boundaries.y_high.kind=no-slip")


def run(folder: Path, *settings: str, name: str = "flow.h5") -> tuple[int, dict[str, np.ndarray]]:
    """Exit code of a run, and all that its file holds."""
    code = generate(SerialWorld(), load(RunConfig, None, [*SMALL, *settings, f"output={folder}/{name}"]))
    return code, arrays(folder / name)


def test_coefficients_do_not_depend_on_the_span_of_a_body_that_goes_through(tmp_path):
    """A cylinder along z in a domain half as wide and twice as wide."""
    drags = []
    for nz in (4, 8):
        cells = ("grid.lattice=D3Q19", f"grid.cells=[20, 16, {nz}]", "obstacles.diameter=4.5", "flow.disturbance=0")
        drags.append(run(tmp_path, *cells, name=f"{nz}.h5")[1]["forces/drag"])
    assert np.all(drags[0] > 1)
    np.testing.assert_allclose(*drags, rtol=1e-9)


def test_the_force_on_each_body_is_stored_and_adds_up(tmp_path):
    """In the order of the description; the body upstream takes more drag than the one in its wake."""
    pair = "obstacles.given=[{family='circle', center=[24, 12], size=6}, {family='circle', center=[10, 12], size=6}]"
    _, found = run(tmp_path, pair, "frames.warm_up=2", "obstacles.count=[0, 3]")
    each, total = found["forces/body_drag"][0], found["forces/drag"][0]
    assert each.shape == (2, len(total))
    np.testing.assert_allclose(each.sum(axis=0), total, rtol=1e-12)
    assert np.all(each[1] > 1.5 * each[0])


def test_bodies_that_a_case_has_not_take_no_force(tmp_path):
    """Where the number of bodies is drawn, what is missing is no number; the rest passes."""
    _, found = run(tmp_path, "n_cases=4", "obstacles.count=[0, 2]", "obstacles.diameter=[4, 4.5]", "seed=3")
    counts = [len(json.loads(text)["obstacles"]) for text in found["description"]]
    assert set(counts) > {0}
    for case, count in enumerate(counts):
        assert np.isfinite(found["forces/body_lift"][case]).all(axis=1).tolist() == [k < count for k in range(2)]
    assert check(tmp_path / "flow.h5").good


def test_a_flow_that_a_force_drives_tells_what_it_measured(tmp_path):
    """Poiseuille: the mean velocity is F h^2 / (12 nu), whatever was drawn, and the card says so."""
    channel = ("grid.cells=[8, 16]", "obstacles.count=0", "flow.force=[1e-5, 0]", *PERIODIC, *WALLS)
    _, found = run(tmp_path, *channel, "flow.velocity=0.05", "frames.warm_up=40", "collision.name=trt")
    expected = 1e-5 * 16**2 / (12 * found["scalars/viscosity"][0])
    assert found["scalars/measured_velocity"][0] == pytest.approx(expected, rel=0.02)
    assert expected < 0.5 * found["scalars/velocity"][0]
    assert "Re is nominal, no inlet or wall sets it; measured: Re" in check(tmp_path / "flow.h5").card


def test_cases_of_one_body_and_one_reynolds_number_start_unlike(tmp_path):
    """Each from the seed and its own number; another seed gives others."""
    one = ("n_cases=2", "obstacles.given=[{family='circle', center=[12, 12], size=6}]")
    _, found = run(tmp_path, *one)
    _, other = run(tmp_path, *one, "seed=2", name="other.h5")
    velocity = found["t1_fields/velocity"]
    assert np.abs(velocity[0] - velocity[1]).max() > 1e-4
    assert np.abs(velocity - other["t1_fields/velocity"]).max() > 1e-4


def test_an_inlet_may_pulse(tmp_path):
    """A harmonic oscillation about the mean, after the ramp."""
    settings = ("flow.pulsation=0.25", "flow.period=40", "frames.ramp=0", "flow.velocity=0.05")
    config = load(RunConfig, None, [*SMALL, *settings, f"output={tmp_path}/a.h5"])
    found = np.concatenate([wall_scale(config, n_done) for n_done in (0, 1)])
    assert found.mean() == pytest.approx(1) and np.ptp(found) == pytest.approx(0.5)
    np.testing.assert_allclose(found, 1 + 0.25 * np.sin(2 * np.pi * np.arange(1, 41) / 40))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([f"boundaries.x_{side}={{kind='pressure', density=1.36}}" for side in ("low", "high")], b"density departs"),
        ((*PERIODIC, "flow.force=[2e-2, 0]"), b"largest velocity"),
    ],
)
def test_a_flow_that_grows_beyond_what_is_sound_has_failed(tmp_path, settings, words):
    """By its speed or by its density; nothing is left that looks like data."""
    code, found = run(tmp_path, *settings, "frames.every=100")
    assert code == NOTHING_USABLE and words in found["failure"][0]
    assert np.isnan(found["t0_fields/density"]).all() and np.isnan(found["scalars/reynolds_number"]).all()
    assert "all checks passed" not in str(check(tmp_path / "flow.h5"))


def test_a_density_that_no_flow_has_does_not_pass(tmp_path):
    """Also in files that other code has written."""
    run(tmp_path)
    with h5py.File(tmp_path / "flow.h5", "r+") as file:
        file["t0_fields/density"][0, 1, 2, 3] = 9.0
    assert any("density departs from 1 by 8" in problem for problem in check(tmp_path / "flow.h5").problems)


SOME_FAIL = (*PERIODIC, "n_cases=3", "flow.reynolds=[0.5, 200]", "flow.force=[1.5e-3, 0]", "frames.count=5", "seed=2")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_readers_are_given_complete_cases_alone(tmp_path):
    """Failed ones come last, without a number, and under the number by which they were drawn."""
    from the_well.data import WellDataset

    code, found = run(tmp_path, *SOME_FAIL)
    assert code == PARTLY_FAILED and found["computed"].tolist() == [COMPLETE, FAILED, FAILED]
    about = [json.loads(text) for text in found["description"]]
    assert sorted(each["case"] for each in about) == [0, 1, 2] and about[0]["case"] != 0
    assert (
        about[0]["reynolds_number"]
        == found["scalars/reynolds_number"][0]
        < min(each["reynolds_number"] for each in about[1:])
    )
    assert [bool(text) for text in found["failure"]] == [False, True, True]
    well = WellDataset(path=str(tmp_path), n_steps_input=2, n_steps_output=1, use_normalization=False)
    assert well.metadata.n_trajectories_per_file == [1] and len(well) == 3
    assert all(np.isfinite(well[k]["input_fields"]).all() for k in range(len(well)))
    report = check(tmp_path / "flow.h5")
    assert report.good and "2 of 3 case(s) FAILED" in str(report)


def test_cases_are_set_aside_once_however_often_that_is_broken_off(tmp_path, monkeypatch):
    """After any number of writes, another try ends in the same file."""
    schema = FLOW.without(*POINTS)

    def file_of(name: str) -> Writer:
        sizes = {"case": 5, "time": 2, "x": 4, "y": 4, "force_time": 2, "body": 1}
        writer = Writer.open(SerialWorld(), tmp_path / name, schema, sizes, {"config": {}, "n_trajectories": 5})
        for case, status in enumerate((FAILED, COMPLETE, FAILED, COMPLETE, COMPLETE)):
            writer.write("t0_fields/density", (case,), np.full((2, 4, 4), np.nan if status == FAILED else case, "f4"))
            writer.write_text("description", (case,), f"case {case}")
            writer.write_text("failure", (case,), f"failure {case}" if status == FAILED else "")
            if status == FAILED:
                reorder.fill_with_nan(writer, case)
            writer.mark("computed", (case,), status)
        return writer

    def content(writer: Writer) -> list[bytes]:
        return [
            writer.read(name).tobytes() for name in (*(field.name for field in schema.fields), "checksums/computed")
        ]

    whole = file_of("whole.h5")
    assert reorder.move_failed_to_end(whole) == 3
    assert whole.read("t0_fields/density")[:3, 0, 0, 0].tolist() == [3, 1, 4]
    assert whole.read("description").tolist() == [b"case 3", b"case 1", b"case 4", b"case 0", b"case 2"]
    for allowed in range(0, 200, 3):
        broken, n_writes = file_of(f"broken{allowed}.h5"), 0

        def write(self, *how, original=Writer.write, allowed=allowed):
            nonlocal n_writes
            n_writes += 1
            if n_writes > allowed:
                raise KeyboardInterrupt
            original(self, *how)

        with monkeypatch.context() as patch:
            patch.setattr(Writer, "write", write)
            try:
                reorder.move_failed_to_end(broken)
            except KeyboardInterrupt:
                pass
            else:
                break
        reorder.finish_moves(broken)
        verify(broken)
        assert reorder.move_failed_to_end(broken) == 3 and content(broken) == content(whole)
    assert allowed > 30


def test_a_body_file_that_was_edited_is_not_mixed_in(tmp_path):
    """An unfinished run goes on with the file it began with, or not at all."""
    mask = np.zeros((8, 8), bool)
    mask[1:7, 1:7] = True
    np.save(tmp_path / "body.npy", mask)
    settings = [*SMALL, f"obstacles.families=[{{family='file', path='{tmp_path}/body.npy', diameter=6.0}}]",
                f"output={tmp_path}/flow.h5"]  # fmt: skip
    config = load(RunConfig, None, settings)
    assert draw_case(config, 0).bodies[0].family == "file"
    generate(SerialWorld(), config)
    mask[1, 1] = False
    np.save(tmp_path / "body.npy", mask)
    with pytest.raises(UserError, match=r"another content of .*body\.npy"):
        generate(SerialWorld(), config)
