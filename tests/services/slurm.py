"""A Slurm of its own on the hosts of a cluster: controller and login node on the head, one slurmd per host.

Source: the manual pages of slurm.conf(5), slurmd(8), munged(8).
"""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path

from tests.services.cluster import Cluster, wait_until

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "scontrol", "munged")
CORES = 4  # of a node, as it says: more than it has
CONFIG = """
ClusterName=glassflow
SlurmctldHost=head
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,requeue_delay=1
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
InactiveLimit=0
KillWait=5
MinJobAge=3600
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=20
SlurmdParameters=config_overrides
SlurmctldDebug=verbose
NodeName={nodes} CPUs={cores} Boards=1 SocketsPerBoard=1 CoresPerSocket={cores} ThreadsPerCore=1 RealMemory=4000
PartitionName=all Nodes={nodes} Default=YES MaxTime=60 State=UP
PartitionName=spare Nodes={nodes} MaxTime=60 State=UP
"""


def missing() -> str:
    """What is not here and is needed, in a few words; empty if all is there."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"no {', '.join(absent)}" if absent else ""


class Slurm:
    """The services, and the commands of a login node; all end with the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.folder = cluster, cluster.folder
        self.config = self.folder / "slurm.conf"
        names = list(cluster.hosts)
        self.config.write_text(CONFIG.format(folder=self.folder, nodes=",".join(names), cores=CORES))
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        (self.folder / "state").mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        munge = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self.head = cluster.head
        self.head.start("munged", "-F", "--force", f"--socket={self.folder}/munge.socket", *munge, log="munged")
        wait_until((self.folder / "munge.socket").exists, "munged has no socket")
        self.head.start("slurmctld", "-D", "-f", self.config, log="slurmctld")
        for name in names:
            self.start_node(name)
        wait_until(lambda: set(self.nodes().values()) == {"idle"}, f"nodes are not idle: {self.nodes()}")

    @property
    def environment(self) -> dict[str, str]:
        """What commands of Slurm need to know."""
        return {"SLURM_CONF": str(self.config)}

    def start_node(self, name: str) -> None:
        """Start slurmd on a host."""
        (self.folder / f"spool-{name}").mkdir(exist_ok=True)
        self.cluster.hosts[name].start("slurmd", "-D", "-f", self.config, "-N", name, log=f"slurmd-{name}")

    def command(self, *words: str) -> str:
        """What a command says; an error if it fails."""
        done = self.head.run(*words, env=self.environment)
        assert done.returncode == 0, done
        return done.stdout

    def nodes(self) -> dict[str, str]:
        """The state of each node."""
        done = self.head.run("sinfo", "--noheader", "--Node", "--partition=all", "--format=%N %T", env=self.environment)
        return dict(line.split() for line in done.stdout.splitlines())

    def job(self, ident: str) -> dict[str, str]:
        """What `scontrol show job` says of a job."""
        told = self.command("scontrol", "--oneliner", "show", "job", ident)
        return dict(word.split("=", 1) for word in told.split() if "=" in word)

    def wait(self, ident: str, *states: str, seconds: float = math.inf) -> dict[str, str]:
        """Wait for a job to be in one of these states (COMPLETED unless told), and what is known of it then.

        A job that runs may take the limit of time that it was submitted with: Slurm ends it. One that waits in the
        queue for ever is ended with the test, by its timeout.
        """
        wanted, deadline = states or ("COMPLETED",), time.monotonic() + seconds
        while (job := self.job(ident))["JobState"] not in wanted:
            over = job["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "DEADLINE")
            assert not over and time.monotonic() < deadline, f"job {ident} is {job['JobState']}: {self.story(job)}"
            time.sleep(0.25)
        return job

    def story(self, job: dict[str, str]) -> str:
        """The last words of a job's log."""
        log = Path(job.get("StdOut", ""))
        return f"{job} {log.read_text()[-2000:] if log.is_file() else ''}"
