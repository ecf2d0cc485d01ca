"""Jobs on the stand-in of each batch system: submitted, run with the variables that it sets, and what comes of it."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.jobs.conftest import in_queue


def test_a_submitted_generation_starts_the_generator_on_all_ranks_with_its_arguments(run):
    words = ["my case.toml", "output=$(id).h5", "seed=3"]
    done, log = run("generate", "mdgen", *words)
    assert done.returncode == 0 and "1234567" in done.stdout, done.stderr
    assert re.findall(r"rank (\d) of 4", log) == ["0", "1", "2", "3"], log
    assert log.count("\n".join(f"<{word}>" for word in ["-m", "mdgen", *words])) == 4


def test_a_submitted_training_knows_the_node_of_rank_0(run):
    done, log = run("train", "minutes=5", more='reachable_as() { echo "$1-fast"; }\n')
    assert done.returncode == 0, done.stderr
    ports = re.findall(r"at node07-fast:(\d+)\n<dtrain/train.py>\n<minutes=5>\n", log)
    assert len(ports) == 4 and len(set(ports)) == 1, log
    assert 0 <= int(ports[0]) - (20000 + 1234567 % 20000) < 20, "the first free one, from one by which jobs differ"


def test_each_job_of_an_array_gets_its_index(run):
    done, log = run("--array", "2-4", "train", "minutes=5", "seed={index}", "output=run{index}.h5")
    assert done.returncode == 0, done.stderr
    assert [log.count(f"<seed={i}>\n<output=run{i}.h5>") for i in range(1, 6)] == [0, 4, 4, 4, 0], log


def job_of(done) -> str:
    return re.findall(r"123\d+(?:_\d+)?", done.stdout)[0]


def test_a_job_runs_after_one_that_succeeded_and_not_after_one_that_failed(run):
    first, _ = run("--chain", "train", "minutes=5", "first")
    second, log = run("--after", job_of(first), "train", "minutes=5", "second")
    assert second.returncode == 0 and "<second>" in log, second.stderr
    third, _ = run("--chain", "train", "minutes=5", "fail")
    fourth, log = run("--after", job_of(third), "train", "minutes=5", "fourth")
    assert fourth.returncode == 0 and "<fail>" in log and "<fourth>" not in log, log


def test_a_job_waits_for_all_jobs_of_an_array(run, scheduler):
    if scheduler == "pjm":
        refused, _ = run("--chain", "--array", "1-2", "train", "minutes=5", "{index}")
        assert refused.returncode == 2 and "bulk job is no step" in refused.stderr
        return
    array, _ = run("--array", "1-2", "train", "minutes=5", "{index}")
    ident = job_of(array) + ("[]" if scheduler == "pbs" else "")
    _, log = run("--after", ident, "train", "minutes=5", "later")
    assert "<later>" in log, log


def test_status_lists_what_was_submitted_here_and_cancel_ends_only_that(run, scheduler, tmp_path):
    run("train", "minutes=5", "seed=2")
    queue = tmp_path / "kept" / "queued"
    queued = in_queue(scheduler, "1234567")
    queue.write_text(queued + in_queue(scheduler, "7654321"))
    done, _ = run("status")
    assert done.returncode == 0 and re.fullmatch(r"1234567\tR\w*\t[^\t]+\ttrain minutes=5 seed=2\n", done.stdout, re.I)
    done, _ = run("cancel", "7654321")
    assert done.returncode == 2 and done.stderr == "submit: cancel 7654321: not submitted from here\n"
    done, _ = run("cancel", "1234567")
    assert done.returncode == 0 and done.stdout.split()[-1] == "1234567", done.stderr
    for foreign in (in_queue(scheduler, "1234567", name="other"), in_queue(scheduler, "1234567", user="somebody")):
        queue.write_text(foreign)
        done, _ = run("status")
        assert re.match(r"1234567\tnot-ours:R", done.stdout, re.I), done.stdout
        done, _ = run("cancel", "1234567")
        assert done.returncode == 2 and "belongs to another job now" in done.stderr


def test_a_job_that_the_scheduler_refuses_leaves_nothing(run, copy):
    done, _ = run("train", more="SUBMIT_FLAGS=(--no-such-option)\n")
    assert done.returncode == 2 and "refused the job: nothing is submitted" in done.stderr
    assert not list((copy / "runs" / "jobs").iterdir())


@pytest.mark.parametrize("scheduler", ["slurm"], indirect=True)
def test_a_requeued_slurm_job_is_launched_as_a_later_step(run, monkeypatch):
    monkeypatch.setenv("RESTARTED", "2")
    _, log = run("generate", "mdgen")
    assert re.findall(r"^srun (\S+)", log, re.M) == ["--ntasks=1"] * 2 + ["--kill-on-bad-exit=1"]


@pytest.mark.parametrize("scheduler", ["pbs", "gridengine", "pjm"], indirect=True)
def test_ranks_are_spread_evenly_over_the_nodes(run, scheduler):
    _, log = run("generate", "mdgen")
    expected = {"pbs": "-np 4 --map-by ppr:2:node"}.get(scheduler, "-np 4 -npernode 2")
    assert expected in log, log


@pytest.mark.parametrize("scheduler", ["gridengine"], indirect=True)
def test_fewer_nodes_than_were_asked_for_is_one_clear_line(run, monkeypatch):
    monkeypatch.setenv("NODES", "1")
    _, log = run("generate", "mdgen")
    assert log == "job: 2 nodes were asked for and 1 given\n"


@pytest.mark.parametrize("scheduler", ["pbs", "gridengine"], indirect=True)
def test_a_machine_file_is_named_where_mpirun_needs_one(run, tmp_path):
    _, log = run("generate", "mdgen", MACHINEFILE_FLAG="-machinefile")
    named = re.findall(r"-machinefile (\S+)", log)
    assert len(named) == 1 and Path(named[0]).read_text().split()[::3][0] == "node07", log


def test_a_port_at_which_somebody_listens_is_not_given_to_a_training(run):
    with socket.create_server(("127.0.0.1", 20000 + 1234567 % 20000)):
        done, log = run("train", "minutes=5")
    assert done.returncode == 0 and log.count(f":{20000 + 1234567 % 20000 + 1}\n") == 4, log


def test_a_training_by_the_launcher_of_deepspeed_gets_the_nodes_of_the_job(run, tmp_path):
    launcher = tmp_path / "bin" / "deepspeed"
    launcher.parent.mkdir()
    launcher.write_text('#!/bin/bash\necho "$@"; cat "$2" "$DS_ENV_FILE"; exit "${ENDS:-0}"\n')
    launcher.chmod(0o755)
    site = f"TRAIN_BY=deepspeed PYTHON={launcher.parent}/python\nexport NCCL_SOCKET_IFNAME='ib0 ib1'\n"
    done, log = run("train", "recipe.toml", "minutes=5", more=site)
    assert done.returncode == 0, done.stderr
    assert re.search(r"--master_addr node07 --master_port \d+ dtrain/train.py recipe.toml minutes=5\n", log), log
    assert "node07 slots=2\nnode08 slots=2\n" in log and r"NCCL_SOCKET_IFNAME=ib0\ ib1" in log


LOADED = "load_site() {{ {}\n}}\n"


def test_software_of_a_site_that_is_quietly_false_ends_no_job(run, tmp_path):
    """Neither its last line, nor what fails in the set-up script of somebody else, nor a folder that this leaves."""
    (tmp_path / "setvars.sh").write_text("false\ncd /\n[ -n '' ] && A=1\n:\n")
    done, logs = run(
        "generate", "mdgen", "a.toml", more=LOADED.format(f"source {tmp_path}/setvars.sh; [ -n '' ] && A=1")
    )
    assert done.returncode == 0 and logs.count("<a.toml>") == 4


@pytest.mark.parametrize("line", ["module() { return 1; }; module load cuda", "[ -n '' ] || return 5", "exit 6"])
def test_software_of_a_site_that_fails_is_named_in_the_log(run, line):
    _, logs = run("generate", "mdgen", "a.toml", more=LOADED.format(line))
    assert "<a.toml>" not in logs
    assert logs.count("job: ") == 1 and "site.env" in logs
    assert line.rpartition("; ")[2].removeprefix("[ -n '' ] || ").split()[0] in logs
