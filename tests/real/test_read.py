"""Every dialect gives the same particles: what practitioners' programs write is read, packed or not."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import mdgen
from mdgen.initial import Configuration
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.isoconfig_factory import write_isoconfig
from tests.real.dialects import (
    AB,
    EDGE,
    LATTICE,
    NI_P,
    ONE_TWO,
    POSITION,
    PROPERTIES,
    ROWS,
    SHUFFLED,
    SPECIES,
    ZERO_ONE,
    N,
    coordinates,
    data,
    dump,
    replaced,
    write_gsd,
    xyz,
)


def at(*columns: str):
    """A row with more than name and position: {i} is the number, {name} the species."""
    return lambda i, name: " ".join(columns).format(i=i + 1, name=name, pos=coordinates(i))


XYZ = {
    "extended, as OVITO and ASE write it": xyz(),
    "extended, species by number": xyz(f"Lattice={LATTICE} {PROPERTIES}", ONE_TWO),
    "extended, species by number from 0": xyz(f"Lattice={LATTICE} {PROPERTIES}", ZERO_ONE),
    "extended, id and an integer type": xyz(
        f"Lattice={LATTICE} Properties=id:I:1:type:I:1:pos:R:3", ONE_TWO, at("{i}", "{name}", "{pos}"), SHUFFLED
    ),
    "extended, spaces around =": xyz('Lattice = "3 0 0 0 3 0 0 0 3" Properties = species:S:1:pos:R:3'),
    "extended, lower case": xyz(f"lattice={LATTICE} properties=species:S:1:pos:R:3"),
    "extended, nested brackets": xyz(f"Lattice=[[3, 0, 0], [0, 3, 0], [0, 0, 3]] {PROPERTIES} pbc=[T, T, T]"),
    "extended, braces and single quotes": xyz(f"Lattice={{3 0 0 0 3 0 0 0 3}} {PROPERTIES} pbc='1 1 1'"),
    "extended, three edges": xyz(f'Lattice="3 3 3" {PROPERTIES}'),
    "extended, rounding beside the diagonal": xyz(f'Lattice="3 4e-16 0 0 3 -4e-16 0 0 3" {PROPERTIES}'),
    "extended, other entries in quotes": xyz(f'title="a = b" Lattice={LATTICE} "two words"=3 flag {PROPERTIES}'),
    "extended, box off the origin": xyz(
        f'Lattice={LATTICE} Origin="-5 -5 -5" {PROPERTIES}', row=lambda i, name: f"{name} {coordinates(i, -5)}"
    ),
    "extended, velocities before and forces behind": xyz(
        f"Lattice={LATTICE} Properties=species:S:1:velo:R:3:pos:R:3:force:R:3",
        row=at("{name}", "0.1 0.2 0.3", "{pos}", "1 2 3"),
    ),
    "extended, masses of 1": xyz(f"Lattice={LATTICE} {PROPERTIES}:mass:R:1", row=at("{name}", "{pos}", "1.0")),
    "extended, elements beside a type, as ASE writes them": xyz(
        f"Lattice={LATTICE} Properties=species:S:1:pos:R:3:type:I:1",
        row=lambda i, name: f"{NI_P[SPECIES[i]]} {coordinates(i)} {SPECIES[i] + 1}",
    ),
    "extended, Fortran's exponents": xyz(
        f'Lattice="3.0d0 0 0 0 3.0D0 0 0 0 3.0D+00" {PROPERTIES}', row=lambda i, k: f"{k} {coordinates(i, end='D+00')}"
    ),
    "extended, Windows' line ends": xyz().replace("\n", "\r\n"),
    "extended, a byte order mark": "\ufeff" + xyz(),
    "extended, empty lines before and behind": "\n\n" + xyz() + "\n\n",
    "RUMD 1": xyz(
        "ioformat=1 dt=0.005 boxLengths=3.0,3.0,3.0 numTypes=2 Nose-Hoover-Ps=-0.02 mass=1.0000000,1.0 "
        "columns=type,x,y,z,vx,vy,vz",
        ZERO_ONE,
        at("{name}", "{pos}", "0.1 0.2 0.3"),
    ),
    "RUMD 2 and gamdpy": xyz(
        "ioformat=2 timeStepIndex=0 numTypes=2 integrator=IntegratorNVT,0.004,0.34,0.2,0 "
        "sim_box=RectangularSimulationBox,3.0,3.0,3.0 mass=1.0,1.0 columns=type,x,y,z,imx,imy,imz",
        ZERO_ONE,
        lambda i, name: f"{name} {' '.join(map(repr, (POSITION[i] - EDGE * (POSITION[i] > 1.5)).tolist()))} 0 0 0",
    ),
    "RUMD, periodic in a word": xyz("boundary=periodic boxLengths=3,3,3 columns=type,x,y,z", ZERO_ONE),
    "atooms": xyz("step:0 columns:id,pos dt:0.002 cell:3.0,3.0,3.0"),
    "atooms, named in full, with =": xyz("step=0 columns=particle.species,particle.position cell=3.0, 3.0, 3.0"),
    "atooms, without columns": xyz("step: 0 cell: 3.0,3.0,3.0"),
}

DATA = {
    **{f"{style}, named": data(row, f" # {style}") for style, row in ROWS.items()},
    **{f"{style}, told by its columns": data(row, "") for style, row in ROWS.items()},
    **{f"{style}, with images": data(lambda i, row=row: row(i) + " 0 -1 2", "") for style, row in ROWS.items()},
    "molecular, all of one molecule": data(lambda i: f"{i + 1} 1 {SPECIES[i] + 1} {coordinates(i)}", ""),
    "charge, a whole number for all": data(lambda i: f"{i + 1} {SPECIES[i] + 1} 1 {coordinates(i)}", ""),
    "box off the origin": data(lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, -1.5)}", low=-1.5),
    "zero tilt factors": data(header="0.0 0.0 0.0 xy xz yz"),
    "type labels": data(
        lambda i: f"{i + 1} {AB[SPECIES[i]]} {coordinates(i)}",
        header="\nAtom Type Labels\n\n1 A\n2 B",
        masses="A 1.0\nB 1.0",
    ),
    "type labels of elements": data(
        lambda i: f"{i + 1} {NI_P[SPECIES[i]]} {coordinates(i)}",
        header="\nAtom Type Labels\n\n1 Ni\n2 P",
        masses="Ni 1\nP 1",
    ),
    "box by vectors, as OVITO writes it": data(
        lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, -1.5)}",
        bounds="3.0 0 0 avec\n0 3.0 0 bvec\n0 0 3.0 cvec\n-1.5 -1.5 -1.5 abc origin",
    ),
    "comments behind": data(masses="1 1.0  # A\n2 1.0  # B", header="# a box"),
    "Fortran's exponents": data(lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, end='D+00')}"),
    "units lj in the title": data(
        title="LAMMPS data file via write_data, version 2 Aug 2023, timestep = 0, units = lj"
    ),
    "velocities and coefficients behind": data(
        end="\nVelocities\n\n1 0.0 0.0 0.0\n\nPair Coeffs # lj/cut\n\n1 1.0 1.0\n2 0.5 0.88\n"
    ),
}

DUMP = {
    "x y z": dump(),
    "scaled": dump("id type xs ys zs", lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, scale=1 / EDGE)}"),
    "scaled, box off the origin": dump(
        "id type xs ys zs", lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, scale=1 / EDGE)}", low=-1.5
    ),
    "unwrapped": dump("id type xu yu zu", lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, 2 * EDGE)}"),
    "scaled and unwrapped": dump(
        "xsu ysu zsu type id", lambda i: f"{coordinates(i, -1, 1 / EDGE)} {SPECIES[i] + 1} {i + 1}"
    ),
    "elements, without types": dump("id element x y z", lambda i: f"{i + 1} {AB[SPECIES[i]]} {coordinates(i)}"),
    "type labels": dump("id type x y z", lambda i: f"{i + 1} {AB[SPECIES[i]]} {coordinates(i)}"),
    "mass and velocities": dump(
        "id mol type mass x y z vx", lambda i: f"{i + 1} 1 {SPECIES[i] + 1} 1 {coordinates(i)} 0"
    ),
    "type labels in a column of their own": dump(
        "id typelabel x y z", lambda i: f"{i + 1} {AB[SPECIES[i]]} {coordinates(i)}"
    ),
    "zero tilt factors": dump(box="xy xz yz pp pp pp", tilt=" 0.0"),
    "the shape of the box behind its flags": dump(box="pp pp pp xy xz yz", tilt=" 0.0"),
    "box by vectors, as OVITO writes it": dump(
        row=lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i, -1.5)}",
        box="abc origin pp pp pp",
        bounds="3.0 0 0 -1.5\n0 3.0 0 -1.5\n0 0 3.0 -1.5\n",
    ),
    "units and time": dump(before="ITEM: UNITS\nlj\nITEM: TIME\n0.5\n"),
}


def assert_same(found: Configuration) -> None:
    assert found.box == pytest.approx(EDGE, rel=1e-12)
    np.testing.assert_array_equal(found.species, SPECIES)
    away = found.position - POSITION
    np.testing.assert_allclose(away - EDGE * np.rint(away / EDGE), 0, atol=1e-6)
    assert found.position.min() >= 0 and found.position.max() < EDGE


@pytest.mark.parametrize("packed", [False, True], ids=["", "gz"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(name, text, id=f"{name[1:]}: {kind}")
        for name, kinds in (("a.xyz", XYZ), ("a.data", DATA), ("a.lammpstrj", DUMP))
        for kind, text in kinds.items()
    ],
)
def test_a_dialect_gives_the_same_particles(tmp_path, name, text, packed):
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    (found,) = mdgen.read(path)
    assert_same(found)
    assert str(path) in found.source


def test_a_name_without_a_known_suffix_is_no_matter(tmp_path):
    """data.kalj, dump.final and a data file that is called .xyz are told by what they hold."""
    for name, text in {"data.kalj": data(), "dump.final": dump(), "conf": xyz(), "odd.xyz": data()}.items():
        (tmp_path / name).write_text(text)
        assert_same(mdgen.read(str(tmp_path / name))[0])


def test_a_latin_1_title_is_no_matter(tmp_path):
    (tmp_path / "a.data").write_bytes(data(title="début à 0,5 °").encode("latin-1"))
    assert_same(mdgen.read(tmp_path / "a.data")[0])


@pytest.mark.parametrize("packed", [False, True])
def test_gsd_gives_the_same_particles(tmp_path, packed):
    path = write_gsd(tmp_path / "a.gsd")
    if packed:
        path = path.rename(tmp_path / "a.gsd.gz")
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = mdgen.read(path)
    assert len(found) == 2
    assert_same(found[0])


def test_gsd_without_a_box_needs_a_density(tmp_path):
    """Its library then tells a box of edge 1, in which 24 particles would have a density of 24."""
    path = write_gsd(tmp_path / "a.gsd", box=None)
    with pytest.raises(UserError, match="the file holds no box"):
        mdgen.read(path)
    assert mdgen.read(path, density=N / EDGE**3)[0].box == pytest.approx(EDGE, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"box": [3, 3, 3, 0.1, 0, 0]}, "is tilted"),
        ({"dimensions": 2, "box": [3, 3, 0, 0, 0, 0]}, "2 dimensions"),
        ({"mass": np.full(N, 2.0)}, "have mass 2"),
        ({"types": ["Ni", "P"]}, 'initial.species=["Ni", "P"]'),
    ],
)
def test_gsd_that_cannot_be_run_is_refused(tmp_path, changes, told):
    with pytest.raises(UserError) as refusal:
        mdgen.read(write_gsd(tmp_path / "a.gsd", **changes))
    assert told in str(refusal.value) and f"{tmp_path}/a.gsd" in str(refusal.value)


@pytest.mark.parametrize("packed", [False, True])
def test_npz_is_read_as_published_and_with_a_box(tmp_path, packed):
    """GlassBench's positions lie in [-L/2, L/2); a published name tells the temperature."""
    path = tmp_path / "N24T0.44_1.npz"
    np.savez(path, types=SPECIES.astype("i1"), initial_positions=POSITION - EDGE * (POSITION > EDGE / 2), box=EDGE)
    if packed:
        path = path.rename(tmp_path / "N24T0.44_1.npz.gz")
        path.write_bytes(gzip.compress(path.read_bytes()))
    (found,) = mdgen.read(path)
    assert_same(found)
    assert found.temperature == 0.44


@pytest.mark.parametrize("packed", [False, True])
def test_our_own_file_gives_its_samples(tmp_path, packed):
    path = write_isoconfig(tmp_path / "ours.h5", n_samples=3, n_particles=40)
    with Dataset(path) as ours:
        position, species = ours["initial_position"][()], ours["species"][()]
    if packed:
        path = path.rename(tmp_path / "ours.h5.gz")
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = mdgen.read(path)
    assert [one.source for one in found] == [f"{path}, sample {k}" for k in range(3)]
    assert all(np.array_equal(one.position, position[k]) for k, one in enumerate(found))
    assert all(np.array_equal(one.species, species[k]) and one.temperature == 0.5 for k, one in enumerate(found))


@pytest.mark.parametrize(
    ("names", "species"),
    [(NI_P, ["Ni", "P"]), (ZERO_ONE, ["0", "1"]), (("2", "1"), ["2", "1"]), (("B", "A"), ["B", "A"])],
)
def test_a_mapping_names_the_species(tmp_path, names, species):
    (tmp_path / "a.xyz").write_text(xyz(names=names))
    assert_same(mdgen.read(tmp_path / "a.xyz", species=species)[0])


def test_density_gives_the_box_that_a_file_lacks(tmp_path):
    """LAMMPS' own XYZ has none; the density must be one that the particles can have had."""
    (tmp_path / "a.xyz").write_text(xyz("Atoms. Timestep: 0", ONE_TWO))
    assert_same(mdgen.read(tmp_path / "a.xyz", density=N / EDGE**3)[0])


def frames(count: int, form=xyz) -> str:
    """Frames that differ: their particles have turned round in the list."""
    return "".join(form(order=np.roll(np.arange(N), k).tolist()) for k in range(count))


def test_empty_lines_between_frames_do_not_end_the_file(tmp_path):
    (tmp_path / "a.xyz").write_text(frames(1) + "\n  \n" + frames(1))
    assert len(mdgen.read(tmp_path / "a.xyz")) == 2


@pytest.mark.parametrize(
    ("wanted", "first_particles"),
    [([], [0, 23, 22, 21]), ([2], [22]), ([-1], [21]), ([0, -1], [0, 21]), ([1, 2], [23, 22])],
)
def test_only_the_frames_that_are_wanted_are_parsed(tmp_path, wanted, first_particles):
    """A frame that nobody asks for may hold anything."""
    text = frames(4)
    if wanted == [2]:
        text = replaced(text, 4, "A not a number") + "neither is this\n"
    (tmp_path / "a.xyz").write_text(text)
    found = mdgen.read(tmp_path / "a.xyz", frames=wanted)
    assert [one.position[0].tolist() for one in found] == [POSITION[i].tolist() for i in first_particles]


def test_frames_of_a_dump_are_read_in_order(tmp_path):
    (tmp_path / "a.dump").write_text(dump(step=0) + dump("id type xu yu zu", step=100))
    found = mdgen.read(tmp_path / "a.dump")
    assert ["timestep 0" in found[0].source, "timestep 100" in found[1].source] == [True, True]
    assert_same(found[1])


RUMD = "ioformat=2 integrator=IntegratorNVT,0.004,{},0.2,0 sim_box=RectangularSimulationBox,3,3,3 columns=type,x,y,z"
WARM = {
    **{f"{one}=0.44": xyz(f"Lattice={LATTICE} {PROPERTIES} {one}=0.44") for one in ("Temperature", "T", "temp", "kT")},
    "in quotes, beside a time": xyz(f'Lattice={LATTICE} {PROPERTIES} t=3 T = "0.44" Time=3'),
    "twice": xyz(f"Lattice={LATTICE} {PROPERTIES} T=0.44 Temperature=0.440"),
    "atooms": xyz("step:0 columns:id,pos cell:3,3,3 temperature:0.44"),
    "RUMD's integrator": xyz(RUMD.format(0.44), ZERO_ONE),
    "title of LAMMPS data": data(title="Kob-Andersen, T = 0.44, rho = 1.2"),
}


@pytest.mark.parametrize("text", WARM.values(), ids=WARM)
def test_a_file_tells_its_temperature_in_any_usual_spelling(tmp_path, text):
    (tmp_path / "a").write_text(text)
    (found,) = mdgen.read(tmp_path / "a")
    assert_same(found)
    assert found.temperature == 0.44


@pytest.mark.parametrize("text", [xyz(f"Lattice={LATTICE} {PROPERTIES} t=0.44"), data(title="T=300K, timestep = 3")])
def test_a_time_or_another_unit_is_no_temperature(tmp_path, text):
    (tmp_path / "a").write_text(text)
    assert mdgen.read(tmp_path / "a")[0].temperature is None
