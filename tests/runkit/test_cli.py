"""The command line of all programs."""

from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from pydantic import Field

from runkit import about, launcher
from runkit.about import FACTS
from runkit.cli import run_program
from runkit.config import Config
from runkit.errors import UserError, in_one_line
from runkit.usage import help_text
from tests.conftest import ROOT, clean_environment


class Case(Config):
    """A case."""

    seed: int = Field(1, ge=0, description="seed of all random numbers")
    name: str = "x"


def run(*arguments, show=None, action=None):
    seen = []
    run_program("program", Case, action or seen.append, show, arguments=arguments)
    return seen[0] if seen else None


def test_a_file_and_settings_make_the_configuration(tmp_path):
    (tmp_path / "case.toml").write_text("seed = 2\nname = 'y'\n")
    case = run(str(tmp_path / "case.toml"), "seed=3")
    assert (case.seed, case.name) == (3, "y")


def test_show_calls_show_and_not_run():
    shown = []
    assert run("show", "seed=4", show=shown.append) is None
    assert shown[0].seed == 4


def test_the_rank_that_deepspeed_appends_is_passed_over():
    assert run("--local_rank=3", "seed=5", "--local-rank=0").seed == 5


def test_an_interrupt_ends_a_program_without_a_word(capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        run(action=interrupted)
    assert in_one_line()(lambda: interrupted(0))() == end.value.code == 130 and capsys.readouterr().err == ""


def test_an_interrupt_that_a_failing_clean_up_hides_is_one_too(capsys):
    """As in torch, which forgets in what it clears that it may not have begun."""

    def hidden(_):
        try:
            raise KeyboardInterrupt
        finally:
            raise UnboundLocalError("old")

    with pytest.raises(SystemExit) as end:
        run(action=hidden)
    assert end.value.code == 130 and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fast"], "unknown option '--fast'"),
        (["none.toml"], "there is no configuration file 'none.toml'"),
        (["a.toml", "b.toml"], "one configuration file at most"),
        (["seed=-1"], "seed = -1 is not allowed; allowed: an integer >= 0"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(capsys, arguments, told):
    with pytest.raises(SystemExit) as end:
        run(*arguments)
    out, err = capsys.readouterr()
    assert end.value.code == 2 and out == ""
    assert err.startswith("error: ") and told in err and err.count("\n") == 1


def test_a_mistake_that_the_program_finds_is_one_line_too(capsys):
    def fail(case):
        raise UserError("the file\nis bad")

    with pytest.raises(SystemExit) as end:
        run(action=fail)
    assert end.value.code == 2 and capsys.readouterr().err == "error: the file is bad\n"


@pytest.mark.parametrize("variable", ["PMI", "OMPI_COMM_WORLD", "torch"])
def test_other_ranks_are_silent_and_end_with_code_2(capsys, monkeypatch, variable):
    names = ("RANK", "WORLD_SIZE") if variable == "torch" else (f"{variable}_RANK", f"{variable}_SIZE")
    for name, value in zip((*names, "MASTER_ADDR", "MASTER_PORT"), ("1", "2", "127.0.0.1", "1"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launcher, "_ancestors", lambda: (launcher._Process("7", ("mpiexec", "-n", "2")),))
    with pytest.raises(SystemExit) as end:
        run_program("program", Case, print, arguments=["seed=-1"], launched=launcher.torch_launch)
    assert end.value.code == 2 and capsys.readouterr() == ("", "")


def test_variables_left_over_from_a_launcher_do_not_silence_a_program(capsys, monkeypatch):
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setattr(launcher, "_ancestors", lambda: ())
    with pytest.raises(SystemExit):
        run("seed=-1")
    assert capsys.readouterr().err.count("\n") == 1


def test_help_lists_every_key_with_default_meaning_and_range(capsys):
    run("--help")
    text = capsys.readouterr().out
    assert "usage: program [case.toml] [section.key=value ...]" in text
    assert "seed = 1\n      seed of all random numbers; an integer >= 0" in text and 'name = "x"' in text
    assert "show" not in text and "show" in help_text("program", Case, "", has_show=True)


def test_version_tells_what_the_code_stands_on(capsys):
    run("--version")
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("program ")
    told = {line.split()[0]: line for line in others}
    assert told.keys() == FACTS.keys()
    assert "cannot be found" not in "".join(others)
    assert f"numpy {np.__version__}" in told["packages"] and f"HDF5 {h5py.version.hdf5_version}" in told["HDF5"]
    assert "mpi4py" in told["MPI"] and "vectors of" in told["kernels"]


def test_a_library_that_does_not_load_says_so_in_its_line(monkeypatch, capsys):
    def broken() -> str:
        raise OSError("libmpi.so.12: cannot open shared object file")

    monkeypatch.setitem(FACTS, "MPI", broken)
    about.main()
    told = capsys.readouterr().out.splitlines()
    (line,) = (line for line in told if line.split()[0] == "MPI")
    assert "cannot be found: OSError: libmpi.so.12" in line and len(told) == len(FACTS)


def test_libraries_that_cannot_be_imported_say_so_in_their_lines_alone(tmp_path):
    for name in ("h5py", "numba", "mpi4py"):
        (tmp_path / f"{name}.py").write_text(f"raise OSError('{name} is broken')")
    given = clean_environment() | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "runkit.about"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=100)
    told = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == 0 and told.keys() == FACTS.keys()
    for name, library in (("HDF5", "h5py"), ("kernels", "numba"), ("MPI", "mpi4py")):
        assert f"cannot be found: OSError: {library} is broken" in told[name]
    assert f"numpy {np.__version__}" in told["packages"]
