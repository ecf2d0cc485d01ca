"""What is compiled for GPUs, and how it is kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from lbmgen.collisions import collision
from lbmgen.kernels.gpu import text
from lbmgen.lattices import lattice
from mdgen.kernels import gpu
from mdgen.potentials import potential
from runkit import nvrtc
from runkit.device import Gpu
from runkit.nvrtc import NoGpu, extents, machine_code, target
from tests.shim.compile import ARCHITECTURES

SCALE = 'extern "C" __global__ void scale(float* value) { value[threadIdx.x] *= 0.25f; }'
CODE = machine_code(SCALE, "sm_90")[0]
LAW = potential.build("kob-andersen")
KERNELS = {
    "md": (gpu.source(LAW, "float32"), ()),
    "md in double precision": (gpu.source(LAW, "float64"), ()),
    "lbm": (text.source(lattice("D2Q9"), collision.build("bgk"), False, "float32"), ()),
    "small": (SCALE, ()),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", KERNELS)
def test_machine_code_ends_where_its_headers_say(name, architecture):
    """CuPy cuts the last byte off: a driver that loads a file by its headers would read beyond its end."""
    source, options = KERNELS[name]
    code = machine_code(source, architecture, options)[0]
    assert max(extents(code)) == len(code)
    assert max(extents(code[:-1])) == len(code)


def test_more_than_the_byte_that_cupy_cuts_off_is_not_made_up():
    assert nvrtc.whole(CODE[:-1]) == nvrtc.whole(CODE) == CODE
    with pytest.raises(RuntimeError, match="lacks 2 bytes"):
        nvrtc.whole(CODE[:-2])
    with pytest.raises(ValueError, match="not an ELF file"):
        nvrtc.whole(b"\x7fELF")


def test_mistakes_in_kernels_are_told_in_the_words_of_the_compiler():
    with pytest.raises(RuntimeError, match="undefined"):
        machine_code(SCALE.replace("value[", "missing["), "sm_90")


def test_kernels_keep_the_faintest_numbers_and_round_every_product():
    """What the compiler does by default, and what CuPy asks of it, are other machine code."""
    text = 'extern "C" __global__ void f(float* a) { a[0] = a[1] * a[2] + a[3] / a[4] + sqrtf(a[5]); }'
    strict = machine_code(text, "sm_90")[0]
    for name, value in (("ftz", "false"), ("fmad", "false"), ("prec-div", "true"), ("prec-sqrt", "true")):
        assert machine_code(text, "sm_90", (f"--{name}={value}",))[0] == strict
        other = {"true": "false", "false": "true"}[value]
        assert machine_code(text, "sm_90", (f"--{name}={other}",))[0] != strict


def test_ptx_says_how_every_operation_rounds():
    """So the driver that compiles it for a GPU newer than the compiler cannot join a product with a sum."""
    text = 'extern "C" __global__ void f(float* a) { a[0] = a[1] * a[2] + a[3] / a[4] + sqrtf(a[5]); }'
    lines = machine_code(text, "compute_90")[0].decode().splitlines()
    operations = [line.split()[0] for line in lines if line.strip().startswith(("mul", "add.", "div", "sqrt", "fma"))]
    floats = [name for name in operations if name.endswith("f32")]
    assert sorted(floats) == ["add.rn.f32", "add.rn.f32", "div.rn.f32", "mul.rn.f32", "sqrt.rn.f32"]


def test_a_gpu_runs_machine_code_of_its_generation_and_ptx_of_earlier_ones():
    known = (75, 80, 86, 87, 90, 100, 101)
    chosen = {80: "sm_80", 86: "sm_86", 87: "sm_87", 89: "sm_86", 90: "sm_90", 103: "sm_100", 120: "compute_100"}
    assert {own: target(own, known, "") for own in chosen} == chosen
    assert target(100, (80, 86, 87, 90), "") == "compute_90"
    with pytest.raises(NoGpu, match=r"makes nothing for V \(sm_70\): pip install"):
        target(70, known, "V")


def gpu_without_a_driver(architecture="sm_90") -> Gpu:
    """It compiles, and what is to be loaded is the path."""
    made = Gpu.__new__(Gpu)
    made.xp, made.architecture, made._compiler = SimpleNamespace(RawModule=lambda path: path), architecture, (13, 0)
    return made


def test_machine_code_is_kept_for_the_next_process(tmp_path, monkeypatch):
    """Named by text, options and architecture; CuPy loads it, and compiles nothing."""
    device, made = gpu_without_a_driver(), []
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(nvrtc, "machine_code", lambda *what: (made.append(what), (CODE, ""))[1])
    paths = [device.compile(text, options) for text, options in ((SCALE, ()), (SCALE, ["-DX"]), ("", ()), (SCALE, ()))]
    assert [what[:2] for what in made] == [(SCALE, "sm_90"), (SCALE, "sm_90"), ("", "sm_90")]
    assert len(set(paths)) == 3 and paths[0] == paths[3]
    assert sorted(map(str, (tmp_path / "kept").iterdir())) == sorted(set(paths))
    assert Path(paths[0]).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("architecture", ["sm_90", "compute_90"])
def test_a_kept_file_that_is_not_whole_is_made_anew(tmp_path, monkeypatch, architecture):
    """A byte less, as earlier versions kept it; half of it; nothing."""
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    device = gpu_without_a_driver(architecture)
    path = Path(device.compile(SCALE))
    code = path.read_bytes()
    for n_bytes in (len(code.rstrip(b"\n")) - 1, len(code) // 2, 20, 0):
        path.write_bytes(code[:n_bytes])
        assert device.compile(SCALE) == str(path) and path.read_bytes() == code


def test_without_a_place_to_keep_it_machine_code_serves_its_process(tmp_path, monkeypatch):
    device = gpu_without_a_driver()
    (tmp_path / "file").touch()
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "file" / "kept"))
    path = Path(device.compile(SCALE))
    assert path.read_bytes() == CODE and device.compile(SCALE) == str(path)
    assert path.parent == Path(nvrtc._own_folder().name)
