"""Pipelines on the stand-ins: each job runs after those that it waits for, and only what is not done runs again."""

from __future__ import annotations

import re

import pytest

from tests.jobs.conftest import in_queue

PIPELINE = """
name = "small"
[stage.generate]
job = "generate"
arguments = ["mdgen", "case.toml", "output=T{T}.h5"]
array = { T = ["0.44", "0.64"] }
[stage.train]
job = "train"
arguments = ["recipe.toml", "name=T{T}_{seed}"]
array = { T = ["0.44", "0.64"], seed = [1] }
[stage.figures]
job = "generate_figures"
arguments = ["--run", "T0.44_1", "T0.64_1"]
after = ["generate", "train"]
"""
ONE_RANK = {f"{kind}_{key}": "1" for kind in ("GENERATE", "TRAIN") for key in ("NODES", "TASKS_PER_NODE")}


@pytest.fixture
def pipeline(copy, run, monkeypatch):
    """pipeline(*words before it, text) -> (what was said, new lines of all logs)."""
    monkeypatch.setenv("NODES", "1")
    path, seen = copy / "small.toml", [""]

    def call(*words: str, text: str = PIPELINE, **changed: str):
        path.write_text(text)
        done, log = run(*words, "small.toml", **ONE_RANK | changed)
        new, seen[0] = log.removeprefix(seen[0]), log
        return done, new

    return call


def states(done) -> dict[str, str]:
    return {line.split("\t")[0]: line.split("\t")[1] for line in done.stdout.splitlines() if line.startswith("small/")}


def test_all_jobs_of_a_pipeline_run_and_none_runs_again(pipeline, copy):
    done, _ = pipeline()
    assert done.returncode == 0, done.stderr
    assert list(states(done).values()) == ["submitted"] * 5
    started = [row.split("\t")[3] for row in (copy / "runs/jobs/submitted.tsv").read_text().splitlines()]
    assert len(started) == 5 and started[-1] == "generate_figures --run T0.44_1 T0.64_1"
    assert set(states(pipeline("status")[0]).values()) == {"done"}
    again, _ = pipeline()
    assert again.returncode == 0 and set(states(again).values()) == {"done"}
    assert len((copy / "runs/jobs/submitted.tsv").read_text().splitlines()) == 5


@pytest.mark.parametrize("scheduler", ["slurm", "pjm"], indirect=True)
def test_what_comes_after_a_failure_waits_until_it_is_mended(pipeline):
    broken = PIPELINE.replace('"recipe.toml",', '"recipe.toml", "fail",')
    done, log = pipeline(text=broken)
    assert done.returncode == 0 and "<T0.64_1>" not in log, done.stderr
    found = states(pipeline("status", text=broken)[0])
    assert found["small/generate[T=0.44]"] == found["small/generate[T=0.64]"] == "done"
    assert found["small/train[T=0.44,seed=1]"] == found["small/figures"] == "ended without success"
    found = states(pipeline()[0])
    assert found["small/generate[T=0.44]"] == "done"
    assert found["small/train[T=0.44,seed=1]"] == found["small/figures"] == "submitted"
    assert set(states(pipeline("status")[0]).values()) == {"done"}


@pytest.mark.parametrize("scheduler", ["slurm", "pjm"], indirect=True)
def test_a_dry_run_shows_every_job_with_what_it_waits_for(pipeline, scheduler, copy):
    done, _ = pipeline("--dry-run")
    assert done.returncode == 0, done.stderr
    titles = re.findall(r"^## (.*)", done.stdout, re.M)
    assert len(titles) == 5 and not (copy / "runs").exists()
    assert "small/train[T=0.64,seed=1]: to be submitted, waits for small/generate[T=0.64]" in titles
    assert titles[-1].count("small/train") == 2 and titles[-1].count("small/generate") == 2
    assert done.stdout.count("exec bash jobs/kinds/") == 5
    assert done.stdout.count(" --step ") == (5 if scheduler == "pjm" else 0)


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"], indirect=True)
def test_what_is_in_the_queue_is_not_submitted_twice_and_is_cancelled(pipeline, scheduler, copy, tmp_path):
    pipeline()
    rows = [row.split("\t") for row in (copy / "runs/jobs/submitted.tsv").read_text().splitlines()]
    _, ident, script, *_ = next(row for row in rows if row[5] == "small/train[T=0.44,seed=1]")
    (copy / f"{script}.unfinished").touch()
    (tmp_path / "kept/queued").write_text(in_queue(scheduler, ident))
    done, _ = pipeline()
    found = states(done)
    assert found["small/train[T=0.44,seed=1]"].startswith("queued (") and found["small/generate[T=0.44]"] == "done"
    assert found["small/figures"] == "submitted"  # what it waits for is not done any more
    refused, _ = pipeline(text=PIPELINE.replace('"recipe.toml"', '"other.toml"'))
    assert refused.returncode == 2 and "with other arguments (" in refused.stderr and refused.stderr.count("\n") == 1
    told, _ = pipeline("status", text=PIPELINE.replace('"recipe.toml"', '"other.toml"'))
    assert "with other arguments (train recipe.toml" in told.stdout
    done, _ = pipeline("cancel")
    assert done.returncode == 0 and ident in done.stdout.split(), done.stdout + done.stderr


def test_after_the_site_was_edited_what_is_done_is_left_and_what_waits_as_before_is_told(
    pipeline, scheduler, copy, tmp_path
):
    """Nothing runs a second time beside it; once it has left the queue, it is submitted as the file says now."""

    def n_runs() -> dict[str, int]:
        text = "".join(
            path.read_text() for path in (copy / "runs/jobs").iterdir() if re.search(r"log$|\.o\d+", path.name)
        )
        return {word: text.count(f"<{word}>") for word in ("output=T0.44.h5", "name=T0.44_1", "name=T0.64_1")}

    pipeline()
    once = {"output=T0.44.h5": 1, "name=T0.44_1": 1, "name=T0.64_1": 1}
    assert n_runs() == once
    rows = [row.split("\t") for row in (copy / "runs/jobs/submitted.tsv").read_text().splitlines()]
    _, ident, script, *_ = next(row for row in rows if row[5] == "small/train[T=0.44,seed=1]")
    (copy / f"{script}.unfinished").touch()
    (tmp_path / "kept/queued").write_text(in_queue(scheduler, ident))
    edited = {"TRAIN_TIME": "03:00:00", "GENERATE_TIME": "04:00:00"}
    for words in ((), ("--dry-run",)):
        done, _ = pipeline(*words, **edited)
        assert done.returncode == 0 and n_runs() == once
        told = [line for line in done.stderr.splitlines() if "as the site's file was before" in line]
        assert len(told) == 1 and f"small/train[T=0.44,seed=1], {ident}, is queued" in told[0]
        assert re.search(r"0?3:00:00 in place of \S*0?8:00:00", told[0]), told
    (tmp_path / "kept/queued").write_text("")
    done, _ = pipeline(**edited)
    assert states(done)["small/train[T=0.44,seed=1]"] == "submitted" and "was before" not in done.stderr
    assert n_runs() == once | {"name=T0.44_1": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[stage", "small.toml: "),
        ("name = 'a b'", "name = 'a b'; allowed: letters"),
        ("title = 'x'", "keys are title; allowed: name, and [stage.NAME]"),
        ("[stage.a]\n", "stage.a.job is missing"),
        ("[stage.a]\njob = 3", "stage.a.job = 3; allowed: job (str), arguments (list)"),
        ("[stage.a]\njob = 'train'\nnodes = 3", "stage.a.nodes = 3; allowed: job (str)"),
        (
            "[stage.a]\njob = 'train'\nafter = ['b']",
            "stage.a.after = ['b']; allowed: stages above, of which there are none",
        ),
        ("[stage.a]\njob = 'train'\narguments = ['{T}']", "stage.a.arguments: {T} has no values; allowed: none"),
        ("[stage.a]\njob = 'train'\narray = { T = [] }", "stage.a.array.T = []; allowed: a list of numbers or words"),
        ("[stage.a]\njob = 'train'\narray = { T = [1, 2] }", "several jobs would do the same; put {T} into"),
        ("[stage.a]\njob = 'trian'", "no job 'trian'; there are: generate"),
        ("[stage.'a b']\njob = 'train'", "a table [stage.NAME] is needed"),
    ],
)
@pytest.mark.parametrize("scheduler", ["slurm"], indirect=True)
def test_a_mistake_in_a_pipeline_is_one_line_and_nothing_is_submitted(pipeline, text, told, copy):
    done, _ = pipeline(text=text)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (copy / "runs").exists()


@pytest.mark.parametrize("scheduler", ["slurm"], indirect=True)
def test_a_recipe_may_read_what_an_earlier_stage_makes(run, copy):
    """A look at it shows the recipe, then fails: that ends a pipeline only where the data should be there."""
    shown = "{ echo 'name = \"run\"'; echo 'error: data.file: a.h5 does not exist' >&2; exit 2; }"
    (copy / "python").write_text(f'#!/bin/bash\n[[ " $* " != *" show "* ]] || {shown}\n')
    (copy / "python").chmod(0o755)
    text = '[stage.make]\njob = "generate_check"\n[stage.train]\njob = "train"\n'
    (copy / "first.toml").write_text(text)
    (copy / "alone.toml").write_text('[stage.train]\njob = "train"\n')
    done, _ = run("--dry-run", "first.toml", PYTHON="$PWD/python")
    assert done.returncode == 0 and "what it waits for has not ended yet" in done.stderr, done.stderr
    done, _ = run("--dry-run", "alone.toml", PYTHON="$PWD/python")
    assert done.returncode == 2 and "nothing is submitted" in done.stderr


@pytest.mark.parametrize("scheduler", ["gridengine"], indirect=True)
def test_the_pipeline_of_the_cases_can_be_submitted(run):
    done, _ = run("--dry-run", "jobs/cases/glass_pipeline.toml")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^## ", done.stdout, re.M)) == 14
