"""The stand-ins refuse what the batch systems refuse, so that the tests that use them can fail."""

from __future__ import annotations

import os
import subprocess

import pytest

WELL = {
    "slurm": "sbatch --job-name=a --output=a.log --nodes=1 --ntasks-per-node=1 --time=1:00:00",
    "pbs": "qsub -N a -o logs/ -l select=1:ncpus=4:mpiprocs=4 -l walltime=1:00:00",
    "gridengine": "qsub -cwd -N a -o a.log -g mine -l h_rt=1:00:00 -l node_f=1",
    "pjm": "pjsub -N a -o a.log --mpi proc=4 -L elapse=1:00:00 -L node=1",
}


@pytest.fixture
def ask(commands, tmp_path):
    """ask("pbs", more="-V", lines="#PBS -q x", ...) -> how a script with these lines was taken, and its output."""

    def call(scheduler: str, more: str = "", lines: str = "", script: str = "env", **variables: str):
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "job.sh").write_text(f"#!/bin/bash\n{lines}\n{script}\n")
        environment = os.environ | commands(scheduler) | {"HOME": str(tmp_path)} | variables
        words = [*WELL[scheduler].split(), *more.split(), "job.sh"]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=tmp_path)
        logs = [*tmp_path.glob("*.log"), *tmp_path.glob("logs/*")]
        return done, "".join(log.read_text() for log in logs)

    return call


@pytest.mark.parametrize(
    ("scheduler", "more", "lines"),
    [
        ("slurm", "--walltime=1:00:00", ""),
        ("slurm", "--dependency=afterok:99", ""),
        ("pbs", "-l nodes=2:ppn=4", ""),
        ("pbs", "-J 1-1", ""),
        ("pbs", "-W depend=afterok:99", ""),
        ("pbs", "", "#PBS -W group_list=${GROUP}"),
        ("gridengine", "-l h_rt = 1:00:00", ""),
        ("gridengine", "", "#$ -l node_f = 1"),
        ("gridengine", "-t 0-3", ""),
        ("gridengine", "-N 1st", ""),
        ("pjm", "-L gpu=4", ""),
        ("pjm", "-L nodes=4", ""),
        ("pjm", "--step --bulk --sparam 1-2", ""),
        ("pjm", "", "#PJM -g $GROUP"),
    ],
)
def test_what_the_real_one_refuses_is_refused(scheduler, more, lines, ask):
    done, log = ask(scheduler, more, lines)
    assert done.returncode != 0 and done.stderr.startswith(WELL[scheduler].split()[0]) and log == "", done.stdout


def test_a_job_without_fault_runs_and_inherits_no_variables(scheduler, ask):
    done, log = ask(scheduler, MINE="yes")
    assert done.returncode == 0, done.stderr
    assert "TMPDIR=" in log and "MINE" not in log


def test_pbs_refuses_to_export_shell_functions(ask):
    assert ask("pbs", "-V")[0].returncode == 0
    done, _ = ask("pbs", "-V", **{"BASH_FUNC_module%%": "() { :; }"})
    assert done.returncode != 0 and "shell functions" in done.stderr


def test_grid_engine_gives_jobs_without_a_group_ten_minutes(ask, monkeypatch):
    monkeypatch.setitem(WELL, "gridengine", "qsub -cwd -N a -o a.log -l h_rt=1:00:00 -l node_f=1")
    done, _ = ask("gridengine")
    assert done.returncode != 0 and "10 mins" in done.stderr


def test_mpirun_refuses_x_beside_the_list_of_the_site(ask):
    done, log = ask("pbs", script="OMPI_MCA_mca_base_env_list=A mpirun -x PATH -np 1 true || echo refused")
    assert done.returncode == 0 and "-x contradicts" in log and "refused" in log
