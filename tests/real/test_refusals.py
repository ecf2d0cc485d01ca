"""What cannot be a configuration is refused: a table of inputs, and the line that each one gets."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

import mdgen
from runkit.errors import UserError
from tests.real.dialects import (
    AB,
    EDGE,
    LATTICE,
    NI_P,
    ONE_TWO,
    POSITION,
    PROPERTIES,
    ROWS,
    SPECIES,
    N,
    coordinates,
    data,
    dump,
    replaced,
    xyz,
)

HEAD = f"Lattice={LATTICE} {PROPERTIES}"
BOXED = f"Lattice={LATTICE} Properties="


def one_row(i: int, text: str):
    """Rows of style atomic, but one."""
    return lambda k: text if k == i else ROWS["atomic"](k)


BOXLESS = "the file holds no box"

REFUSALS: dict[str, tuple[str, str, str]] = {
    # XYZ
    "not periodic": ("a.xyz", xyz(f'{HEAD} pbc="T T F"'), "frame 0: periodic along x y z is T T F; only"),
    "a cluster": ("a.xyz", xyz(f'{HEAD} pbc="F F F"'), "periodic along x y z is F F F"),
    "pbc of words": ("a.xyz", xyz(f"{HEAD} pbc=maybe"), "line 2: pbc = 'maybe': three flags"),
    "periodic in other words": ("a.xyz", xyz(f'{HEAD} boundary="p p f"'), "periodic along x y z is T T F"),
    "units of another kind": ("a.xyz", xyz(f"{HEAD} units=metal"), "frame 0: units are 'metal'; Lennard-Jones units"),
    "two particles at one place": (
        "a.xyz",
        replaced(xyz(), 9, f"{AB[SPECIES[6]]} {coordinates(2, EDGE)}"),
        "frame 0, lines 5 and 9: particles 2 and 6 are at the same place",
    ),
    "no box": ("a.xyz", xyz("Atoms. Timestep: 0", ONE_TWO), f"frame 0: {BOXLESS}; give system.density"),
    "a tilted box": ("a.xyz", xyz(f'Lattice="3 0 0 0.1 3 0 0 0 3" {PROPERTIES}'), "is tilted; edges along x, y and z"),
    "a box of two edges": ("a.xyz", xyz(f'Lattice="3 3" {PROPERTIES}'), "the box has 2 numbers"),
    "a box of words": ("a.xyz", xyz(f'Lattice="a b c" {PROPERTIES}'), "line 2, lattice: 'a' is not a number"),
    "an edge of zero": ("a.xyz", xyz(f'Lattice="3 3 0" {PROPERTIES}'), "box = [3.0, 3.0, 0.0]: three positive edges"),
    "an edge that is no number": ("a.xyz", xyz(f'Lattice="3 3 nan" {PROPERTIES}'), "three positive edges"),
    "elements": ("a.xyz", xyz(names=NI_P), "line 4: species 'Ni': the file names Ni, P; say which is species"),
    "two ways of naming": ("a.xyz", xyz(names=("A", "2")), 'the file names 2, A; say which'),
    "a float type": ("a.xyz", xyz(names=("1.5", "2")), "species '1.5'"),
    "negative types": ("a.xyz", xyz(names=("-1", "1")), "species '-1': the file has -1, 1; species count from 0 here"),
    "a type too large for a byte": ("a.xyz", xyz(names=("1", "300")), "species 299 is there (they count from 0)"),
    "masses in a column": (
        "a.xyz",
        xyz(f"{HEAD}:mass:R:1", row=lambda i, k: f"{k} {coordinates(i)} {1 + SPECIES[i]}"),
        "particles of species B have mass 2; every mass must be 1",
    ),
    "masses in a header": (
        "a.xyz",
        xyz("ioformat=1 boxLengths=3,3,3 numTypes=2 mass=1.0,2.0 columns=type,x,y,z", ("0", "1")),
        "particles of species 1 have mass 2",
    ),
    "a temperature of zero": ("a.xyz", xyz(f"{HEAD} Temperature=0"), "temperature 0 is not positive"),
    "two temperatures": (
        "a.xyz",
        xyz(f"{HEAD} Temperature=0.44 T=0.5"),
        "line 2: temperature = 0.44 and T = 0.5 contradict each other",
    ),
    "a list of temperatures": ("a.xyz", xyz(f'{HEAD} T="1 2"'), "line 2: T = '1 2': one temperature is needed"),
    "a temperature in Kelvin": ("a.xyz", xyz(f"{HEAD} T=300K"), "line 2, T: '300K' is not a number"),
    "no position column": ("a.xyz", xyz(f"{BOXED}species:S:1:velo:R:3"), "no column for the position"),
    "no species column": ("a.xyz", xyz(f"{BOXED}tag:S:1:pos:R:3"), "no column for the species"),
    "two coordinates": ("a.xyz", xyz(f"{BOXED}species:S:1:pos:R:2"), "pos has 2 columns; three"),
    "properties of words": ("a.xyz", xyz(f"{BOXED}species:pos"), "is not a list of name:kind:width"),
    "another number of columns": ("a.xyz", xyz(f"{HEAD}:id:I:1"), "line 3: 4 columns, but"),
    "a word for a number": ("a.xyz", replaced(xyz(), 5, "A 1.0 oops 2.0"), "line 5: 'oops' is not a number"),
    "a number that is not finite": ("a.xyz", replaced(xyz(), 5, "A 1.0 nan 2.0"), "line 5: position of particle 2"),
    "a row too few": ("a.xyz", replaced(xyz(), 26, None), "frame 0 has 23 of 24 rows; the file is cut off"),
    "a row too many": ("a.xyz", xyz() + "A 1 1 1\n", "line 27: 'A 1 1 1' stands where frame 1 should begin"),
    "a row too few before a frame": ("a.xyz", replaced(xyz() + xyz(), 26, None), "line 26: 1 columns, but"),
    "an empty row": ("a.xyz", replaced(xyz(), 9, ""), "line 9: an empty line among the 24 rows of frame 0"),
    "no particles": ("a.xyz", "0\n\n", "line 1: '0' stands where frame 0 should begin"),
    "one particle": ("a.xyz", f"1\nLattice={LATTICE}\nA 0 0 0\n", "n > 1"),
    "equal ids": (
        "a.xyz",
        xyz(f"{HEAD}:id:I:1", row=lambda i, k: f"{k} {coordinates(i)} {max(i, 1)}"),
        "lines 3 and 4: two particles have id 1",
    ),
    # LAMMPS data
    "columns of two styles": (
        "a.data",
        data(lambda i: f"{i + 1} {1 + i % 2} {SPECIES[i] + 1} {coordinates(i)}", ""),
        "fit the atom styles charge and molecular; say which: 'Atoms # charge'",
    ),
    "columns of no style": ("a.data", data(lambda i: f"{i + 1} {coordinates(i)}", ""), "4 columns of section Atoms"),
    "another style than named": ("a.data", data(ROWS["charge"]), "6 columns instead of 5 or 8, those of atom style"),
    "an unknown style": ("a.data", data(hint=" # sphere"), "atom style 'sphere' is not known; known: atomic, charge"),
    "surplus rows": ("a.data", data(n_atoms=20), "line 38: section Atoms has 24 rows, but the header says 20 atoms"),
    "missing rows": ("a.data", data(n_atoms=30), "section Atoms has 24 rows, but the header says 30 atoms"),
    "ids that are equal": ("a.data", data(one_row(3, f"1 1 {coordinates(3)}")), "two particles have id 1"),
    "a type of 1.5": ("a.data", data(one_row(3, f"4 1.5 {coordinates(3)}")), "type '1.5' instead of 1 to 2"),
    "a type of 1.5 without a hint": ("a.data", data(one_row(3, f"4 1.5 {coordinates(3)}"), ""), "type '1.5' instead"),
    "a type of 0": ("a.data", data(one_row(3, f"4 0 {coordinates(3)}")), "type '0' instead of 1 to 2"),
    "a type of 3": ("a.data", data(one_row(3, f"4 3 {coordinates(3)}")), "type '3' instead of 1 to 2"),
    "an id of 1.5": ("a.data", data(one_row(3, f"4.5 1 {coordinates(3)}")), "'4.5' instead of a whole number"),
    "a mass of 2": ("a.data", data(masses="1 1.0\n2 2.0"), "particles of species 2 have mass 2; every mass must be 1"),
    "masses of elements": ("a.data", data(masses="1 58.69\n2 30.97"), "have mass 58.69"),
    "units real": ("a.data", data(title="LAMMPS data file via write_data, units = real"), "units are 'real'"),
    "tilt factors": ("a.data", data(header="0.5 0 0 xy xz yz"), "is tilted; edges along"),
    "vectors of a tilted box": (
        "a.data",
        data(header="3 0.2 0 avec\n0 3 0 bvec\n0 0 3 cvec\n0 0 0 abc origin"),
        "is tilted; edges along",
    ),
    "a vector of two numbers": ("a.data", data(header="3 0 avec"), "2 numbers before avec; 3 are needed"),
    "bounds that are missing": ("a.data", data().replace("zlo zhi", ""), "no line 'zlo zhi'"),
    "bounds in the wrong order": ("a.data", data().replace("0.0 3.0 x", "3.0 0.0 x"), "three positive edges"),
    "no number of atoms": ("a.data", data().replace("24 atoms\n", "\n"), "no line 'N atoms'"),
    "no atoms": ("a.data", data().split("Atoms")[0], "no section Atoms"),
    "atoms twice": ("a.data", data() + "\nAtoms\n\n1 1 0 0 0\n", "a second section Atoms"),
    # LAMMPS dumps
    "a fixed boundary": ("a.dump", dump(box="pp pp ff"), "frame 0 (timestep 0): periodic along x y z is T T F"),
    "units metal": ("a.dump", dump(before="ITEM: UNITS\nmetal\n"), "units are 'metal'"),
    "units metal, told once": ("a.dump", dump(before="ITEM: UNITS\nmetal\n") + dump(), "units are 'metal'"),
    "a tilted dump": ("a.dump", dump(box="xy xz yz pp pp pp", tilt=" 0.5"), "is tilted; edges along"),
    "fewer atoms than told": ("a.dump", dump(n_atoms=30), "24 of 30 atoms follow"),
    "more atoms than told": ("a.dump", dump(n_atoms=20) + dump(), "where an ITEM should; frame 0 has more atoms"),
    "no positions": ("a.dump", dump("id type vx vy vz"), "has no positions (x y z, xu yu zu"),
    "no types": ("a.dump", dump("id q x y z"), "has no type or element; its columns are id q x y z"),
    "a column too few": ("a.dump", dump("id type q x y z"), "line 10: 5 columns, but ITEM: ATOMS has 6"),
    "no box bounds": ("a.dump", replaced(dump(), 5, "ITEM: TIME"), "line 7: '0.0 3.0' stands where an ITEM should"),
    "a dump without atoms": ("a.dump", "ITEM: TIMESTEP\n0\n", "frame 0 has no atoms; the file is cut off"),
    # none of them
    "nothing": ("a.xyz", "", "is empty"),
    "another text": ("a.xyz", "once upon a time\n", "as any known format; it is no XYZ file; known: GSD"),
    "another format": ("a.pdb", "ATOM 1\n", "cannot be read as any known format; known: GSD, ISOCONFIG"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "told"), REFUSALS.values(), ids=REFUSALS.keys())
def test_it_is_refused_by_one_line_that_names_the_file(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as refusal:
        mdgen.read(tmp_path / name)
    line = str(refusal.value)
    assert line.startswith(str(tmp_path / name)) and told in line and "\n" not in line


def npz(**arrays) -> dict[str, np.ndarray]:
    return {"types": SPECIES, "initial_positions": POSITION, **arrays}


NPZ = {
    "a density that the span contradicts": (npz(), f"{BOXLESS}; density 1.2 gives a cube of edge 2.71442, but the"),
    "a box of two edges": (npz(box=np.ones(2)), "the box has 2 numbers"),
    "no types": ({"initial_positions": POSITION}, "no array 'types'; 'types' [n] and 'initial_positions' [n, 3]"),
    "two dimensions": (npz(initial_positions=POSITION[:, :2], box=3.0), "positions (24, 2) and species (24,)"),
    "a float type": (npz(types=SPECIES + 0.5, box=3.0), "species '0.5'"),
    "types beyond a byte": (npz(types=SPECIES * 256, box=3.0), "species 256 is there"),
    "Python objects": (npz(types=np.array([None] * N), box=3.0), "Object arrays cannot be"),
    "text for positions": (npz(initial_positions=POSITION.astype("U"), box=3.0), "'initial_positions' is of type <U"),
    "positions that are not finite": (
        npz(initial_positions=np.where(POSITION < 0.1, np.nan, POSITION), box=3.0),
        "finite",
    ),
    "temperatures": (npz(box=3.0, temperature=np.ones(2)), "'temperature' has 2 values"),
}


@pytest.mark.parametrize(("arrays", "told"), NPZ.values(), ids=NPZ.keys())
def test_an_npz_is_refused_by_one_line_that_names_the_file(tmp_path, arrays, told):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=re.escape(told)) as refusal:
        mdgen.read(tmp_path / "a.npz")
    assert str(refusal.value).startswith(f"{tmp_path}/a.npz")


def test_an_npz_whose_name_says_another_temperature_is_refused(tmp_path):
    for said, is_good in ((0.44, True), (0.4385, True), (0.5, False), (np.nan, False)):
        np.savez(tmp_path / "N24T0.44_1.npz", **npz(box=3.0, temperature=said))
        if is_good:
            assert mdgen.read(tmp_path / "N24T0.44_1.npz")[0].temperature == said
        else:
            with pytest.raises(UserError, match=rf"'temperature' is {said:g}, its name says 0\.44"):
                mdgen.read(tmp_path / "N24T0.44_1.npz")


def test_an_npy_that_is_called_npz_is_told(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, POSITION)
    with pytest.raises(UserError, match=r"a\.npz: a single array \(24, 3\) \(\.npy\), not an \.npz"):
        mdgen.read(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.xyz.gz", "a.gsd", "a.h5"])
def test_a_file_that_is_cut_off_or_mixed_up_is_one_line(tmp_path, name):
    """Half an archive, half a gzip, and marks of formats with nothing behind."""
    np.savez(tmp_path / "whole.npz", **npz(box=3.0))
    content = {
        "a.npz": (tmp_path / "whole.npz").read_bytes()[:700],
        "a.xyz.gz": gzip.compress(xyz().encode())[:-40],
        "a.gsd": b"\xdf\x65" * 4 + bytes(400),
        "a.h5": b"\x89HDF\r\n\x1a\n" + bytes(400),
    }
    (tmp_path / name).write_bytes(content[name])
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}/{name}")):
        mdgen.read(tmp_path / name)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.xyz: cannot be read: No such file"):
        mdgen.read(tmp_path / "nowhere.xyz")


def test_a_name_that_the_mapping_lacks_is_told(tmp_path):
    (tmp_path / "a.xyz").write_text(xyz(names=NI_P))
    with pytest.raises(
        UserError, match=r"line \d+: species 'P' is not in initial\.species = \['Ni', 'Si'\]; the file has"
    ):
        mdgen.read(tmp_path / "a.xyz", species=["Ni", "Si"])


def test_a_frame_that_is_not_there_is_told(tmp_path):
    (tmp_path / "a.xyz").write_text(xyz())
    with pytest.raises(UserError, match=r"a\.xyz: no frame 7; it has 1"):
        mdgen.read(tmp_path / "a.xyz", frames=[0, 7])


@pytest.mark.parametrize(("name", "text"), [("a.xyz", xyz()), ("a.data", data(ROWS["full"], "")), ("a.dump", dump())])
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, name, text):
    """Bytes replaced, cut out and put in at random places: no other error, nothing that is not finite."""
    rng = np.random.default_rng(5)
    pieces = [
        b"nan",
        b"-1",
        b"1e999",
        b"0",
        b"\n",
        b"ITEM: ",
        b"99999999999999999999",
        b"Atoms",
        b'"',
        b"[",
        b"\x00\xff",
    ]
    refused = 0
    for _ in range(150):
        content = bytearray(text.encode())
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            content[place : place + rng.integers(0, 20)] = pieces[rng.integers(len(pieces))]
        (tmp_path / name).write_bytes(content)
        try:
            found = mdgen.read(tmp_path / name)
        except UserError as refusal:
            refused += 1
            assert str(refusal).startswith(f"{tmp_path}/{name}")
        else:
            assert all(np.isfinite(one.position).all() and one.box.min() > 0 for one in found)
    assert 0 < refused < 150


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"path": None}, "path = None: the name of a file"),
        ({"density": 0}, "density = 0: a positive number"),
        ({"density": float("nan")}, "density = nan"),
        ({"density": "1.2"}, "density = '1.2'"),
        ({"frames": "1"}, "frames = '1': whole numbers"),
        ({"frames": [0.5]}, "frames = [0.5]: whole numbers"),
        ({"frames": None}, "frames = None"),
        ({"species": "AB"}, "species = 'AB': a list of the names"),
        ({"species": 2}, "species = 2: a list"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(tmp_path, arguments, told):
    (tmp_path / "a.xyz").write_text(xyz())
    with pytest.raises(UserError, match=re.escape(told)):
        mdgen.read(**{"path": tmp_path / "a.xyz", **arguments})


def test_types_of_an_npz_that_count_from_1_are_told(tmp_path):
    np.savez(tmp_path / "a.npz", **npz(types=SPECIES + 1, box=3.0))
    with pytest.raises(UserError, match=r"the file has 1, 2; none is 0, .*: initial\.species=\[\"1\", \"2\"\]"):
        mdgen.read(tmp_path / "a.npz")
    assert np.array_equal(mdgen.read(tmp_path / "a.npz", species=[1, 2])[0].species, SPECIES)
