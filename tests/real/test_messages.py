"""What programs say before anything runs: whose configuration it is, what lies under a name, what parts there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import lbmgen.__main__
import lbmgen.config
import lbmgen.plan
import mdgen.__main__
import mdgen.config
import mdgen.plan
import mdgen.resolve
from dtrain import evaluate, predict, train
from dtrain.config import recipe_class
from lbmgen.obstacles import obstacle
from runkit.cli import run_program
from runkit.dataset import check
from runkit.dataset.resume import found_at
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from runkit.programs import OWN_TABLES
from runkit.usage import help_text
from tests.conftest import ROOT
from tests.isoconfig_factory import write_isoconfig
from tests.real.test_outputs import refused

MODELS = dict(zip(OWN_TABLES, (mdgen.config.RunConfig, lbmgen.config.RunConfig, recipe_class()), strict=True))
FILES = {
    "python -m mdgen": "jobs/cases/kob_andersen_T0.44.toml",
    "python -m lbmgen": "jobs/cases/vortex_streets.toml",
    "python dtrain/train.py": "dtrain/recipes/botan.toml",
}


@pytest.mark.parametrize("program", OWN_TABLES)
def test_tables_of_a_program_are_in_its_configuration_and_in_no_other(program):
    own = set(OWN_TABLES[program])
    assert own <= set(MODELS[program].model_fields)
    assert not any(own & set(model.model_fields) for name, model in MODELS.items() if name != program)


@pytest.mark.parametrize("program", OWN_TABLES)
@pytest.mark.parametrize("owner", OWN_TABLES)
def test_a_configuration_of_another_program_is_told_as_that(program, owner, capsys):
    def main(words):
        run_program(program, MODELS[program], print, arguments=words)

    path = str(ROOT / FILES[owner])
    if program == owner:
        main([path])
    else:
        told = refused(main, path, capsys=capsys)
        assert f"{path} is a configuration of another program: {owner} {path}" in told


def test_a_plan_says_what_a_run_would_find_under_its_name(tmp_path, capsys):
    write_isoconfig(tmp_path / "a.h5", 4, 32)
    (tmp_path / "b.h5").write_text("mine")
    (tmp_path / "c.h5.part").write_text("broken")
    for name, told in {
        "a.h5": "system.temperature: a run is refused",
        "b.h5": "b.h5 cannot be read as HDF5",
        "c.h5": "c.h5.part cannot be read as HDF5",
        "d.h5": "",
    }.items():
        mdgen.plan.show(mdgen.config.RunConfig(output=str(tmp_path / name), system={"density": 1.1}))
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("# there")]
        assert len(lines) == bool(told) and told in "".join(lines)


def test_a_plan_of_the_same_configuration_goes_on_or_ends_at_once(tmp_path):
    case = mdgen.config.RunConfig(output=str(tmp_path / "a.h5"))
    law = mdgen.resolve.potential_of(case)
    schema, config = mdgen.plan.ISOCONFIG, case.model_dump(mode="json")
    sizes = mdgen.resolve.dimensions(case, law, [])
    Writer.open(SerialWorld(), case.output, schema, sizes, {"config": config, "seed": 1}).close()
    assert found_at(Path(case.output), schema, config, ()) == f"{case.output}.part is gone on with"
    Path(f"{case.output}.part").rename(case.output)
    assert found_at(Path(case.output), schema, config, ()) == f"{case.output} is complete: a run ends at once"


def test_an_unfinished_file_that_is_damaged_is_told_with_the_way_out(tmp_path):
    (tmp_path / "a.h5.part").write_text("broken")
    case = mdgen.config.RunConfig(output=str(tmp_path / "a.h5"))
    sizes = mdgen.resolve.dimensions(case, mdgen.resolve.potential_of(case), [])
    with pytest.raises(UserError, match=r"a\.h5\.part cannot be read .*: move it away, and the run begins anew"):
        Writer.open(SerialWorld(), case.output, mdgen.plan.ISOCONFIG, sizes, {"config": {}, "seed": 1})


def test_help_lists_every_part_with_its_parameters_and_what_it_is():
    text = help_text("program", lbmgen.config.RunConfig, "", has_show=False, parts={"obstacles.given": obstacle})
    assert all(f"\n  {name}" in text for name in obstacle.names())
    assert "mesh (path, diameter)\n      Closed triangles in an .stl" in text and 'code = "0012"' in text


@pytest.mark.parametrize(("n", "words"), [(1, "there is 1 rank; allowed: 1"), (3, "there are 3 ranks; allowed: 1 to")])
def test_numbers_of_ranks_are_counted_as_people_do(n, words):
    with pytest.raises(UserError, match=f"ranks_per_case = 4: {words}"):
        lbmgen.plan.n_groups(n, 4)


WORDS = {
    "mdgen": (lambda _: mdgen.__main__.main(), ["NAME"]),
    "mdgen show": (lambda _: mdgen.__main__.main(), ["show", "NAME"]),
    "lbmgen": (lambda _: lbmgen.__main__.main(), ["NAME"]),
    "train": (train.main, ["NAME"]),
    "train show": (train.main, ["show", "NAME.toml"]),
    "evaluate": (evaluate.main, ["NAME"]),
    "predict": (predict.main, ["NAME", "a.h5"]),
    "check": (check.main, ["NAME"]),
    "check --repair": (check.main, ["--repair", "NAME"]),
}


# Too long in bytes, or only with what a program adds; no folder; a folder.
@pytest.mark.parametrize("name", ["n" * 300, "ñ" * 127, "n" * 252, "nowhere/x", "."], ids=lambda name: name[:9])
@pytest.mark.parametrize("program", WORDS)
def test_a_word_that_can_name_no_file_is_one_line(program, name, capsys, monkeypatch):
    main, words = WORDS[program]
    words = [word.replace("NAME", name) for word in words]
    monkeypatch.setattr(sys, "argv", ["program", *words])
    with pytest.raises(SystemExit) as end:
        main(words)
    told = capsys.readouterr().err
    assert end.value.code == 2 and told.startswith("error: ") and told.count("\n") == 1
