"""Files of given configurations: the same particles through every format; tests/real has the dialects."""

import numpy as np
import pytest

from mdgen.formats import load, read
from mdgen.initial import melt
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.schema import COMPLETE
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.mpi import SerialWorld


@pytest.fixture
def start():
    """A configuration with both species in mixed order."""
    made = melt(150, (0.8, 0.2), 1.2, seed=5, sample=0)
    order = np.random.default_rng(1).permutation(150)
    return type(made)(made.position[order], made.species[order], made.box)


def write_npz(path, start):
    np.savez(path, types=start.species, initial_positions=start.position, positions=start.position[None])


def write_glassbench(path, start):
    """Positions lie in [-L/2, L/2)."""
    np.savez(path, types=start.species, initial_positions=start.position - start.box * (start.position > start.box / 2))


def write_extxyz(path, start):
    lattice = " ".join(repr(float(x)) for x in np.diag(start.box).ravel())
    letters = np.array(["A", "B"])[start.species]
    rows = [f"{letters[i]} {i} {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(start.position.tolist())]
    header = f'Lattice="{lattice}" Properties=species:S:1:id:I:1:pos:R:3 pbc="T T T"'
    path.write_text("\n".join([str(len(rows)), header, *rows]) + "\n")


def write_lammps(path, start):
    """Atoms out of order, the box not at the origin, image flags and velocities behind."""
    low = np.array([-1.0, 2.0, 0.5])
    bounds = [f"{low[k]!s} {low[k] + start.box[k]!s} {c}lo {c}hi" for k, c in enumerate("xyz")]
    rows = [
        f"{i + 1} {start.species[i] + 1} " + " ".join(repr(x) for x in (start.position[i] + low).tolist()) + " 0 0 0"
        for i in reversed(range(len(start.species)))
    ]
    head = [
        "made for a test",
        "",
        f"{len(rows)} atoms",
        "2 atom types",
        "",
        *bounds,
        "",
        "Masses",
        "",
        "1 1.0",
        "2 1.0",
    ]
    tail = ["", "Velocities", "", "1 0.0 0.0 0.0"]
    path.write_text("\n".join([*head, "", "Atoms # atomic", "", *rows, *tail]) + "\n")


def write_isoconfig(path, start):
    sizes = {"sample": 2, "time": 1, "replica": 2, "particle": 150, "species": 2, "bond": 10}
    with Writer.open(SerialWorld(), path, ISOCONFIG, sizes, {"config": {}}) as file:
        file.write("temperature", (), np.full(2, 0.5))
        for name, values in {"species": start.species, "box": start.box, "initial_position": start.position}.items():
            file.write(name, (1,), values)
        file.mark("equilibrated", (1,), COMPLETE)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("c.npz", write_npz),
        ("c_tc07.npz", write_glassbench),
        ("c.extxyz", write_extxyz),
        ("c.data", write_lammps),
    ],
)
def test_every_format_gives_the_same_particles(tmp_path, start, name, write):
    write(tmp_path / name, start)
    (found,) = read(tmp_path / name)
    np.testing.assert_allclose(found.position, start.position, atol=1e-12)
    np.testing.assert_allclose(found.box, start.box, rtol=1e-14)
    np.testing.assert_array_equal(found.species, start.species)
    assert str(tmp_path / name) in found.source


def test_our_own_file_gives_its_equilibrated_samples_and_their_temperature(tmp_path, start):
    write_isoconfig(tmp_path / "ours.h5", start)
    (found,) = read(tmp_path / "ours.h5.part")
    np.testing.assert_array_equal(found.position, start.position)
    assert found.temperature == 0.5 and found.source.endswith("sample 1")


def test_a_glob_is_read_in_order_of_name(tmp_path, start):
    for name in ("b", "a", "c"):
        write_npz(tmp_path / f"{name}.npz", start)
    assert [found.source[-5] for found in load([str(tmp_path / "*.npz")])] == ["a", "b", "c"]


def test_a_pattern_without_files_is_named():
    with pytest.raises(UserError, match=r"no file matches 'nowhere/\*\.npz'"):
        load(["nowhere/*.npz"])


def test_samples_of_different_size_are_refused(tmp_path, start):
    write_npz(tmp_path / "a.npz", start)
    write_npz(tmp_path / "b.npz", melt(160, (0.8, 0.2), 1.2, seed=5, sample=0))
    with pytest.raises(UserError, match=r"b\.npz has 160 particles, .*a\.npz has 150"):
        load([str(tmp_path / "*.npz")])
