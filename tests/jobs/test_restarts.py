"""Jobs on the stand-ins that do not finish in one go: warned, restarted while that brings something, not for ever."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.jobs.conftest import estimating


def lines(log: str, start: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith(start)]


def marks(copy) -> list:
    return list((copy / "runs/jobs").glob("*.unfinished*"))


def test_an_unfinished_job_goes_on_until_it_is_done(run, copy):
    done, log = run("--restarts", "4", "generate", "mdgen", "unfinished=3")
    assert done.returncode == 0, done.stderr
    assert log.count("rank 0 of 4") == 4 and log.count("rank 3 of 4") == 1, log
    assert lines(log, "job: ") == [
        f"job: unfinished, 7 pieces of work were kept; restart {k} of at most 4" for k in (1, 2, 3)
    ]
    assert not marks(copy)


def test_a_job_is_not_restarted_more_often_than_is_allowed(run, copy):
    _, log = run("--restarts", "2", "generate", "mdgen", "unfinished=9")
    assert log.count("rank 0 of 4") == 3, log
    assert "job: unfinished after 2 restarts, which is the most: submit it again to go on" in log
    assert len(marks(copy)) == 1


def test_a_job_that_brings_nothing_to_a_checkpoint_is_not_restarted(run, copy):
    _, log = run("--restarts", "5", "generate", "mdgen", "unfinished=9", "stuck")
    assert log.count("rank 0 of 4") == 1 and "brought nothing to a checkpoint: it is not restarted" in log, log
    assert len(marks(copy)) == 1


def test_a_job_that_was_cancelled_does_not_come_back(run):
    """Its program saves and is unfinished, as where its time is over."""
    _, log = run("--restarts", "5", "generate", "mdgen", "unfinished=9", "cancelled")
    assert log.count("rank 0 of 4") == 1 and "job: cancelled: submit it again to go on" in log, log


def test_a_job_that_is_deleted_by_the_schedulers_own_command_does_not_come_back(run, scheduler):
    """Long before its time is over, by scancel, qdel or pjdel."""
    _, log = run("--restarts", "5", "generate", "mdgen", "delete")
    assert log.count("rank 0 of 4") == 1 and "was warned" in log, log
    (told,) = lines(log, "job: ")
    assert re.fullmatch(r"job: cancelled \(SIG(TERM|USR2), \d+ s before its time was over\): submit it again .*", told)


NEAR_THE_END = "SECONDS=86300\n"  # of a job of 24 hours: as if it ran since then


def test_a_job_whose_time_is_over_goes_on(run):
    """The scheduler sends the same signals as for one that is deleted."""
    _, log = run("--restarts", "5", "generate", "mdgen", "overrun", more=NEAR_THE_END)
    assert lines(log, "job: ") == ["job: unfinished, 5 pieces of work were kept; restart 1 of at most 5"], log
    assert log.count("rank 0 of 4") == 2


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "gridengine"], indirect=True)
def test_near_its_end_too_a_deleted_job_does_not_come_back_where_the_scheduler_says_so(run):
    """Slurm by the state of the job, PBS by its comment; Grid Engine does not run it again whatever it asks for."""
    _, log = run("--restarts", "5", "generate", "mdgen", "delete", more=NEAR_THE_END)
    assert log.count("rank 0 of 4") == 1 and "was warned" in log, log


def test_cancel_leaves_word_for_the_job(run, copy, site, commands, submit, scheduler):
    run("--restarts", "0", "train", "minutes=5")
    (row,) = [line.split("\t") for line in (copy / "runs/jobs/submitted.tsv").read_text().splitlines()]
    done = submit("--site", site(scheduler), "cancel", row[1], root=copy, env=commands(scheduler))
    assert done.returncode == 0, done.stderr
    assert (copy / f"{row[2]}.cancelled").exists()


def test_no_other_code_restarts_a_job(run):
    _, log = run("--restarts", "5", "generate", "mdgen", "fail")
    assert log.count("rank 0 of 4") == 1 and "job: " not in log, log


def test_a_warning_that_reaches_the_script_of_a_job_alone_reaches_its_program(run):
    _, log = run("--restarts", "1", "generate", "mdgen", "warn")
    assert "was warned" in log and "5 pieces of work were kept; restart 1 of at most 1" in log, log
    assert log.count("rank 3 of 4") == 1, log


def test_a_program_that_a_warning_kills_is_unfinished_and_one_that_fails_after_a_warning_is_not(run, copy):
    """It may not have begun to take warnings; it has kept nothing then."""
    _, log = run("--restarts", "5", "generate", "mdgen", "early", more=NEAR_THE_END)
    killed, unfinished = lines(log, "job: ")
    assert "(SIGUSR1) killed the program" in killed and "brought nothing to a checkpoint" in unfinished, log
    for mark in marks(copy):
        mark.unlink()
    (copy.parent / "kept/warned").unlink()
    _, log = run("--restarts", "5", "generate", "mdgen", "broken", more=NEAR_THE_END)
    assert lines(log, "job: ")[-1].startswith("job: the program failed of itself (exit code 1), after"), log


def test_a_program_is_told_how_long_it_may_take(run):
    _, log = run("generate", "mdgen", GENERATE_TIME="1:00:00")
    (minutes,) = set(re.findall(r"<minutes=([\d.]+)>", log))
    assert 54.0 <= float(minutes) <= 55.0
    _, log = run("generate", "mdgen", "minutes=7")
    assert set(re.findall(r"<minutes=([\d.]+)>", log)) == {minutes, "7"}


def test_a_job_waits_for_one_that_was_restarted_and_not_for_one_that_gave_up(run):
    first, _ = run("--restarts", "2", "--chain", "train", "minutes=5", "unfinished=2")
    _, log = run("--after", job_of(first), "train", "minutes=5", "second")
    assert "<second>" in log, log
    third, _ = run("--restarts", "2", "--chain", "train", "minutes=5", "unfinished=9")
    _, log = run("--after", job_of(third), "train", "minutes=5", "fourth")
    assert "<fourth>" not in log, log


def job_of(done) -> str:
    return re.findall(r"123\d+(?:_\d+)?", done.stdout)[0]


def test_one_job_of_an_array_is_restarted_by_itself(run, scheduler, copy):
    done, log = run("--restarts", "2", "--array", "1-2", "train", "minutes=5", "seed={index}", "unfinished=1")
    if scheduler == "pjm":
        assert done.returncode == 2 and "has no restarts" in done.stderr
        return
    n_restarts = {"slurm": 2}.get(scheduler, 1)  # there the program counts for each job of the array
    assert log.count("restart 1 of at most 2") == n_restarts and not marks(copy), log
    assert log.count("rank 3 of 4") == 2 and "restart 2" not in log


@pytest.mark.parametrize("scheduler", ["pbs"], indirect=True)
def test_on_pbs_those_that_wait_for_a_job_wait_for_the_one_that_goes_on_with_it(run, copy, commands, tmp_path):
    """The record knows who waits; those that have ended are not named, which PBS would refuse."""
    run("--restarts", "0", "train", "minutes=5", "unfinished=2")
    folder, kept = copy / "runs/jobs", tmp_path / "kept"
    with (folder / "submitted.tsv").open("a") as record:
        record.write("now\t1234501\tlater.sh\ttrain\t1234500,1234567\t\nnow\t1234502\tother.sh\ttrain\t1234500\t\n")
    (kept / "queued").write_text("1234501.pbs train me 0 H q\n1234569.pbs train me 0 R q\n")
    (script,) = folder.glob("train-*.sh")
    script.write_text(script.read_text().replace("JOB_RESTARTS=0", "JOB_RESTARTS=1"))
    command = script.with_name(f"{script.name}.command").read_text().splitlines()
    subprocess.run([*command, script], cwd=copy, env=os.environ | commands("pbs"), check=True)
    assert (kept / "altered").read_text() == "1234501 depend=afterany:1234569\n"
    row = (folder / "submitted.tsv").read_text().splitlines()[-1].split("\t")
    assert row[1:4] == ["1234569", f"runs/jobs/{script.name}", "train minutes=5 unfinished=2"] and not marks(copy)


@pytest.mark.parametrize(
    ("scheduler", "asked"),
    [("slurm", "--signal=USR1@300"), ("gridengine", "-notify -l s_rt=07:55:00")],
    indirect=["scheduler"],
)
def test_a_signal_is_asked_for_where_a_scheduler_has_one(scheduler, asked, submit, site):
    done = submit("--dry-run", "--site", site(scheduler), "train")
    assert asked in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("restarts", "code"), [("2", 2), ("3", 0)])
def test_an_estimate_beyond_all_restarts_is_refused(restarts, code, submit, site, tmp_path):
    chosen = site("slurm", PYTHON=str(estimating(tmp_path, "4.0 h")), GENERATE_TIME="1:10:00")
    done = submit("--dry-run", "--site", chosen, "--restarts", restarts, "generate", "mdgen")
    assert done.returncode == code and done.stderr.count("\n") == 1
    assert ("with 2 restarts is less" if code else "it goes on in 3 restarts or so") in done.stderr
