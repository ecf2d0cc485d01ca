"""jobs/submit on the login node: what it asks for, checks and refuses."""

from __future__ import annotations

import sys

import pytest

from tests.flow_factory import FLOW_RECIPE


def test_a_dry_run_prints_the_command_of_slurm(submit, site):
    done = submit("--dry-run", "--site", site("slurm", TRAIN_NODES="2", TRAIN_QUEUE="gpu"), "train", "seed=2")
    assert done.returncode == 0, done.stderr
    command = done.stdout.splitlines()[-1].split()
    assert command[0] == "sbatch"
    assert {"--nodes=2", "--ntasks-per-node=4", "--gres=gpu:4", "--partition=gpu", "--account=physics"} <= set(command)
    assert {"--time=08:00:00", "--signal=USR1@300"} <= set(command)
    assert "jobs/kinds/train.sh seed=2\n" in done.stdout and "JOB_SECONDS=28800 JOB_RESTARTS=10" in done.stdout


def test_a_dry_run_prints_the_command_of_pjm(submit, site):
    chosen = site("pjm", GENERATE_NODES="3", GENERATE_QUEUE="regular-a")
    done = submit("--dry-run", "--site", chosen, "generate", "mdgen")
    assert done.returncode == 0, done.stderr
    command = done.stdout.splitlines()[-1]
    assert command.startswith("pjsub ")
    for part in ("-L elapse=24:00:00", "--mpi proc=192", "-L node=3", "-L rscgrp=regular-a", "-g jh1"):
        assert part in command
    assert "gpu" not in command


def test_pjm_shares_of_a_node_are_asked_for_by_gpus(submit, site):
    done = submit("--dry-run", "--site", site("pjm", TRAIN_NODES="", TRAIN_TASKS_PER_NODE="4"), "train")
    command = done.stdout.splitlines()[-1]
    assert "-L gpu=4" in command and "node=" not in command and "--mpi proc=4" in command


def test_a_dry_run_submits_nothing(submit, scheduler, site, commands, copy):
    submit("--dry-run", "--site", site(scheduler), "generate", "mdgen", root=copy, env=commands(scheduler))
    assert not (copy / "runs").exists()


def test_a_missing_site_file_is_one_clear_line(submit, tmp_path):
    done = submit("--site", tmp_path / "nowhere.env", "generate", "mdgen")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere.env is missing" in done.stderr and "site.env.example" in done.stderr


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"SCHEDULER": "lsf"}, "SCHEDULER = 'lsf'; allowed: gridengine, pbs, pjm, slurm"),
        ({"GENERATE_NODES": "0"}, "GENERATE_NODES = '0'"),
        ({"GENERATE_NODES": ""}, "GENERATE_NODES"),
        ({"GENERATE_TASKS_PER_NODE": "many"}, "GENERATE_TASKS_PER_NODE = 'many'; allowed: a number from 1"),
        ({"GENERATE_TIME": "1d"}, "GENERATE_TIME = '1d'; allowed: hours:minutes:seconds"),
        ({"GENERATE_NODES": "18446744073709551617"}, "GENERATE_NODES = '18446744073709551617'"),  # 1 to bash
        ({"PYTHON": ""}, "PYTHON is empty"),
        ({"QUEUE_LIMITS": "('gpu 1-x')"}, "QUEUE_LIMITS has 'gpu 1-x'; allowed: as in"),
        ({"QUEUE_LIMITS": "('gpu 1-4 24h 4 64 512')"}, "QUEUE_LIMITS has 'gpu 1-4 24h 4 64 512'"),
        ({"ACCOUNT": "'physics"}, "unexpected EOF"),
        ({"ACCOUNT": "my group"}, "group: command not found"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(submit, changed, named, site):
    done = submit("--dry-run", "--site", site("slurm", **changed), "generate", "mdgen")
    assert done.returncode == 2
    assert named in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "line", ['[ -n "$NOBODY" ] && export Y=1', "A=$NOBODY/x", "false || true", "return 0", "cd /", "echo"]
)
def test_a_line_of_a_site_that_is_quietly_false_ends_nothing(submit, line, site):
    path = site("slurm")
    path.write_text(path.read_text() + line + "\n")
    done = submit("--dry-run", "--site", path, "generate", "mdgen")
    assert done.returncode == 0, done.stderr


def test_a_site_may_extend_a_function_of_its_scheduler(submit, scheduler, site):
    path = site(scheduler)
    extended = 'eval "plain_$(declare -f resources)"\nresources() { plain_resources; echo --one-more; }\n'
    path.write_text(path.read_text() + extended)
    done = submit("--dry-run", "--site", path, "generate", "mdgen")
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()[-1].split()
    given = {"slurm": "--nodes=1", "pbs": "place=scatter", "pjm": "node=1", "gridengine": "-pe"}[scheduler]
    assert words.index(given) < words.index("--one-more")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("false", "ends with code 1: false"),
        ("[ -n '' ] || return 3", "ends with code 3: return 3"),
        ("f() { return 4; }; f; A=1", "ends with code 4: f() { return 4; }; f; A=1"),
        ("A=$(grep x /nowhere)", "ends with code 2: A=$(grep x /nowhere) (grep: /nowhere: No such file or directory)"),
        ("source /nowhere.sh", "/nowhere.sh: No such file or directory"),
        ("A=${NOBODY:?no path}", "for want of a variable (NOBODY: no path)"),
        ("exit 1", "ends the shell by exit"),
        ("exit", "ends the shell by exit"),
        ("if true", "syntax error"),
        ("A=1\r", "ends of lines of Windows"),
        ("unset -f load_site", "the function load_site is missing"),
    ],
)
def test_a_line_of_a_site_that_fails_is_named(submit, line, told, site):
    path = site("slurm")
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")
    done = submit("--dry-run", "--site", path, "generate", "mdgen")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"submit: {path}" in done.stderr.replace(f"submit: {path}: line", f"submit: {path}")
    assert told in done.stderr and done.stderr.count("\n") == 1


def test_a_mistake_in_a_recipe_is_told_before_anything_is_queued(submit, site, tmp_path):
    """Data that are not there are one, unless an earlier job is still to make them."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(FLOW_RECIPE.replace("flow.h5", str(tmp_path / "flow.h5")))
    chosen = site("slurm", PYTHON=sys.executable)
    done = submit("--dry-run", "--site", chosen, "train", recipe)
    assert done.returncode == 2 and "flow.h5" in done.stderr and "nothing is submitted" in done.stderr
    done = submit("--dry-run", "--site", chosen, "--after", "12", "train", recipe)
    assert done.returncode == 0 and "12 has not ended yet" in done.stderr and "sbatch" in done.stdout
    assert "flow.h5" in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_key_of_a_recipe_is_told_at_once_though_its_data_are_still_to_come(submit, site, tmp_path):
    (tmp_path / "recipe.toml").write_text(FLOW_RECIPE.replace("flow.h5", str(tmp_path / "flow.h5")))
    chosen = site("slurm", PYTHON=sys.executable)
    done = submit("--dry-run", "--later", "--site", chosen, "train", tmp_path / "recipe.toml", "log_evry=2")
    assert done.returncode == 2 and "unknown key 'log_evry'" in done.stderr and done.stdout == "", done.stderr


def test_a_mistake_in_a_configuration_is_told_before_anything_is_queued(submit, site):
    chosen = site("slurm", GENERATE_TASKS_PER_NODE="6", PYTHON=sys.executable)
    done = submit("--site", chosen, "generate", "mdgen", "production.n_sample=3")
    assert done.returncode == 2
    assert "did you mean 'production.n_samples'" in done.stderr and "nothing is submitted" in done.stderr
    done = submit("--dry-run", "--site", chosen, "generate", "mdgen", "production.n_samples=12")
    assert "# ranks      6, each with 2 samples" in done.stdout


def test_a_generator_that_runs_here_but_ends_in_an_error_is_not_submitted(submit, site, tmp_path):
    """Only one that cannot be started is taken on trust."""
    python = tmp_path / "python"
    python.write_text('#!/bin/bash\n[[ " $* " == *" --help "* ]] || { echo Traceback >&2; exit 1; }\n')
    python.chmod(0o755)
    done = submit("--dry-run", "--site", site("slurm", PYTHON=str(python)), "generate", "lbmgen")
    assert done.returncode == 2 and "Traceback" in done.stderr and "nothing is submitted" in done.stderr


def test_a_generator_that_does_not_run_here_is_submitted_all_the_same(submit, site):
    done = submit("--dry-run", "--site", site("slurm", PYTHON="nowhere/python"), "generate", "mdgen")
    assert done.returncode == 0 and "was not looked at" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("sbatch")


def test_an_unknown_job_is_answered_with_the_jobs_there_are(submit, scheduler, site):
    done = submit("--site", site(scheduler), "generate_magic")
    assert done.returncode == 2
    assert "there are: generate generate_check generate_figures train train_evaluate\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--array", "3", "train", "{index}"], "--array '3'; allowed: FIRST-LAST with 1 <= FIRST < LAST"),
        (["--array", "0-3", "train", "{index}"], "--array '0-3'; allowed"),
        (["--array", "1-3", "train", "seed=1"], "--array 1-3: all jobs would do the same"),
        (["train", "seed={index}"], "give --array FIRST-LAST"),
        (["--after", "yesterday", "train"], "--after 'yesterday'; allowed: IDs"),
        (["--after"], "--after needs a value"),
        (["--array", "1-20000", "train", "{index}"], "at most 10000 jobs are allowed"),
        (["cancel"], "cancel needs the ID of a job"),
        (["status", "12"], "status 12: allowed: nothing, or a pipeline"),
        (["train", "a\tb"], "a tab or the end of a line stands in the arguments"),
    ],
)
def test_a_wrong_array_or_dependency_is_one_clear_line(submit, words, told, site, scheduler):
    done = submit("--dry-run", "--site", site(scheduler), *words)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("slurm", ["--dependency=afterok:12:13", "--array=1-4"]),
        ("pbs", ["depend=afterany:12:13", "-J 1-4", "-l place=scatter", "-r y", "-A physics"]),
        ("pjm", ["--bulk --sparam 1-4", "-g jh1"]),
    ],
)
def test_dependencies_arrays_and_requeues_are_asked_for_in_the_words_of_the_scheduler(submit, site, copy, name, parts):
    after = [] if name == "pjm" else ["--after", "12,13"]
    (copy / "runs/jobs").mkdir(parents=True)
    (copy / "runs/jobs/submitted.tsv").write_text("now\t12\ta.sh\ttrain\t-\t\nnow\t13\tb.sh\ttrain\t-\t\n")
    done = submit("--dry-run", "--site", site(name), *after, "--array", "1-4", "train", "seed={index}", root=copy)
    assert done.returncode == 0, done.stderr
    for part in parts:
        assert part in done.stdout.splitlines()[-1]


def test_steps_of_pjm_name_the_job_that_they_belong_to(submit, site, copy):
    (copy / "runs/jobs").mkdir(parents=True)
    rows = [f"now\t{ident}\t{ident}.sh\ttrain\t-\t\n" for ident in ("12_0", "12_1", "13_0")]
    (copy / "runs/jobs/submitted.tsv").write_text("".join(rows))
    done = submit("--dry-run", "--site", site("pjm"), "--after", "12_0,12_1", "train", root=copy)
    assert "--step --sparam jid=12 " in done.stdout, done.stdout + done.stderr
    done = submit("--dry-run", "--site", site("pjm"), "--after", "12_0,13_0", "train", root=copy)
    assert done.returncode == 2 and "steps of one job" in done.stderr


@pytest.mark.parametrize("name", ["gridengine", "pbs", "pjm"])
def test_a_job_that_looks_itself_waits_only_for_jobs_whose_success_it_can_see(submit, site, copy, name):
    done = submit("--dry-run", "--site", site(name), "--after", "12", "train", root=copy)
    assert done.returncode == 2 and done.stderr == "submit: --after 12: not submitted from here\n"
