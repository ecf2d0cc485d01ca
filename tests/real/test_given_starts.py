"""Given starts of a run: independent, and as the configuration says; contradictions are told before anything runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mdgen.config import Initial, RunConfig
from mdgen.formats import load
from mdgen.initial import Configuration
from mdgen.resolve import given_configurations, potential_of, resolved, taken_as_given
from runkit.config import load as configure
from runkit.errors import UserError
from tests.isoconfig_factory import write_isoconfig
from tests.tools.conftest import tool

N = 160  # the smallest box that Kob and Andersen's cutoff allows


def liquid(sample: int, shift: float = 0.0) -> Configuration:
    """A random configuration whose particles have gone `shift` along x."""
    edge = (N / 1.2) ** (1 / 3)
    position = np.random.default_rng(sample).uniform(0, edge, (N, 3)) + np.array([shift, 0, 0])
    return Configuration.of("random", position, np.repeat([0, 1], [128, 32]), np.full(3, edge))


def turned(one: Configuration) -> Configuration:
    """The same with its particles in another order."""
    return Configuration.of("turned", one.position[::-1], one.species[::-1], one.box)


def write(path: Path, *frames: Configuration, header: str = "") -> Path:
    """Extended XYZ, each frame with a time."""
    text = ""
    for k, one in enumerate(frames):
        lattice = " ".join(f"{edge:.15g}" for edge in np.diag(one.box).ravel())
        rows = zip(one.species.tolist(), one.position.tolist(), strict=True)
        text += f'{N}\nLattice="{lattice}" Properties=species:S:1:pos:R:3 Time={k} {header}\n'
        text += "".join(f"{'AB'[kind]} {x:.15g} {y:.15g} {z:.15g}\n" for kind, (x, y, z) in rows)
    path.write_text(text)
    return path


def case(*settings: object) -> RunConfig:
    return configure(RunConfig, None, [str(setting) for setting in settings])


def starts(*settings: object) -> tuple[RunConfig, list[Configuration]]:
    """The resolved case and its given configurations."""
    wanted = case(*settings)
    given = given_configurations(wanted, potential_of(wanted))
    return resolved(wanted, given), given


def test_the_run_takes_over_what_the_file_says(tmp_path):
    path = write(tmp_path / "a.xyz", liquid(0), header="Temperature=0.45")
    resolved_case, given = starts(f"initial.file={path}")
    system = resolved_case.system
    assert (len(given), system.n_particles, system.composition) == (1, N, (0.8, 0.2))
    assert system.temperature == 0.45 and system.density == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("system.density=0.9", "system.density = 0.9: {path}, frame 0 has 1.2; leave system.density out"),
        ("system.n_particles=512", "system.n_particles = 512: {path}, frame 0 has 160"),
        ("system.composition=[0.5, 0.5]", "system.composition = [0.5, 0.5]: {path}, frame 0 has [0.8, 0.2]"),
        ("system.temperature=0.6", "system.temperature = 0.6: {path}, frame 0 has 0.45"),
        ("initial.species=[A, Z]", "species 'B' is not in initial.species = ['A', 'Z']"),
        ("initial.frames=3", "no frame 3; it has 1"),
    ],
)
def test_a_setting_that_the_file_contradicts_is_told(tmp_path, setting, told):
    path = write(tmp_path / "a.xyz", liquid(0), header="Temperature=0.45")
    setting = setting.replace("[A, Z]", '["A", "Z"]')
    with pytest.raises(UserError) as refusal:
        starts(f"initial.file={path}", setting)
    assert told.format(path=path) in str(refusal.value)


@pytest.mark.parametrize("key", ["temperature", "melt_time", "cooling_time", "hold_time", "relaxation_time"])
def test_a_key_of_the_melt_beside_a_file_is_refused_unless_it_says_the_default(tmp_path, key):
    path, default = write(tmp_path / "a.xyz", liquid(0)), getattr(Initial(), key)
    with pytest.raises(UserError, match=r"= 7\.0: samples are taken as they are, neither cooled") as refusal:
        starts(f"initial.file={path}", f"initial.{key}=7.0")
    assert f"initial.{key} = 7.0" in str(refusal.value)
    assert len(starts(f"initial.file={path}", f"initial.{key}={default}")[1]) == 1


@pytest.mark.parametrize("setting", ["initial.frames=3", "initial.species=[A, B]", "initial.species=[1, 2]"])
def test_a_key_of_files_without_a_file_is_refused(setting):
    with pytest.raises(UserError, match=r"samples are cooled from a melt: no initial\.file"):
        starts(setting.replace("[A, B]", '["A", "B"]'))


def test_a_temperature_that_no_file_says_is_told(tmp_path):
    path = write(tmp_path / "a.xyz", liquid(0))
    for settings, is_told in (((), True), (("system.temperature=0.64",), False)):
        wanted = case(f"initial.file={path}", *settings)
        told = taken_as_given(wanted, given_configurations(wanted, potential_of(wanted)))
        assert ("system.temperature = 0.64 is taken" in told) == is_told
    other = write(tmp_path / "b.xyz", liquid(1), header="T=0.45")
    wanted = case(f'initial.file=["{path}", "{other}"]')
    told = taken_as_given(wanted, given_configurations(wanted, potential_of(wanted)))
    assert "a.xyz, frame 0 does not say its temperature: system.temperature = 0.45 is taken" in told


def test_settings_that_agree_are_no_contradiction(tmp_path):
    path = write(tmp_path / "a.xyz", liquid(0), header="Temperature=0.45")
    settings = ("system.density=1.2", "system.n_particles=160", "system.temperature=0.45")
    assert starts(f"initial.file={path}", "system.composition=[0.8, 0.2]", *settings)[1]


def test_starts_of_two_temperatures_are_no_run(tmp_path):
    a = write(tmp_path / "a.xyz", liquid(0), header="Temperature=0.45")
    b = write(tmp_path / "b.xyz", liquid(1), header="Temperature=0.5")
    with pytest.raises(UserError, match=r"a\.xyz, frame 0 was made at T = 0\.45, .*b\.xyz, frame 0 at 0\.5"):
        starts(f'initial.file=["{a}", "{b}"]')


def test_moments_of_one_trajectory_are_no_independent_starts(tmp_path):
    """Particles that have gone 0.1, in any order of rows, are the same structure; one without memory is another."""
    path = write(tmp_path / "a.xyz", liquid(0), turned(liquid(0, 0.1)), liquid(1), liquid(2))
    with pytest.raises(UserError, match=r"frame 1 is the frame before it a little later \(100 % .*initial\.frames=0"):
        starts(f"initial.file={path}")
    assert len(starts(f"initial.file={path}", "initial.frames=[0, 2, -1]")[1]) == 3
    assert len(starts(f"initial.file={path}", "production.n_samples=1")[1]) == 1


def test_a_configuration_that_comes_twice_is_told(tmp_path):
    a, b = (write(tmp_path / name, liquid(0)) for name in ("a.xyz", "b.xyz"))
    with pytest.raises(UserError, match=r"b\.xyz, frame 0 is the same configuration as .*a\.xyz, frame 0"):
        starts(f'initial.file=["{a}", "{b}"]')


def test_our_own_exports_read_back_as_one_start_with_its_temperature(tmp_path):
    """A structure with labels at three times is one configuration; a trajectory asks which moment is meant."""
    ours = write_isoconfig(tmp_path / "ours.h5", n_samples=2, n_particles=N, n_times=3)
    assert tool("export_extxyz", ours, tmp_path / "a.xyz", "sample=1").returncode == 0
    resolved_case, (start,) = starts(f"initial.file={tmp_path}/a.xyz")
    assert resolved_case.system.temperature == 0.5
    (_, sample), original = load([str(ours)]), start
    np.testing.assert_allclose(original.position, sample.position, atol=1e-8)
    np.testing.assert_array_equal(original.species, sample.species)
    assert tool("export_extxyz", ours, tmp_path / "b.xyz", "positions=replica").returncode == 0
    with pytest.raises(UserError, match=r"b\.xyz, frame 1 is the frame before it a little later"):
        starts(f"initial.file={tmp_path}/b.xyz")
    assert tool("export_botan", ours, tmp_path / "npz").returncode == 0
    again = load([f"{tmp_path}/npz/T0.50/*/*_tc01.npz"])
    assert [one.temperature for one in again] == [0.5, 0.5]
    np.testing.assert_array_equal(again[1].position, sample.position)


def test_files_are_taken_in_natural_order_and_a_name_in_brackets_is_a_name(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path / f"run[{number}].xyz", liquid(number))
    found = load([f"{tmp_path}/run*.xyz"])
    assert [Path(one.source.split(",")[0]).name for one in found] == ["run[1].xyz", "run[2].xyz", "run[10].xyz"]
    assert len(load([f"{tmp_path}/run[1].xyz"])) == 1
    with pytest.raises(UserError, match=r"initial\.file: .* is a folder; name files"):
        load([str(tmp_path)])


def test_an_input_that_has_been_replaced_is_not_mixed_in(mpiexec):
    """The file remembers what its starts held: a run does not go on, nor end as if complete, with others."""
    settings = ("initial.file=a.npz", "production.n_replicas=2", "production.times=[0.01]", "output=run.h5")
    lattice = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3) * 1.0

    def place(shift: float) -> None:
        np.savez(mpiexec.directory / "a.npz", initial_positions=lattice + shift, types=np.zeros(216, int), box=6.0)

    place(0.0)
    assert mpiexec(1, "-m", "mdgen", *settings).returncode == 0
    place(0.25)
    refused = mpiexec(1, "-m", "mdgen", *settings)
    assert refused.returncode == 2 and len(refused.stderr.strip().splitlines()) == 1
    assert "another content of initial.file" in refused.stderr


def test_a_potential_of_one_species_takes_a_given_file_without_a_composition(tmp_path):
    """The file says what there is; the default composition, of two species, is no contradiction."""
    one = liquid(0)
    path = write(tmp_path / "a.xyz", Configuration.of("A", one.position, np.zeros(N, int), one.box))
    resolved_case, _ = starts(f"initial.file={path}", "system.potential=lennard-jones")
    assert resolved_case.system.composition == (1.0,)


def test_a_species_that_the_potential_lacks_is_told_as_such(tmp_path):
    """Not as a wrong composition, which nobody has set."""
    one = liquid(0)
    path = write(tmp_path / "a.xyz", one)
    path.write_text(path.read_text().replace("\nA ", "\nC "))
    with pytest.raises(
        UserError, match=r"a\.xyz, frame 0: species 2 is there \(they count from 0\), the potential has 2"
    ):
        starts(f"initial.file={path}")
