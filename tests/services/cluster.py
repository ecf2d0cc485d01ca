"""Several hosts on one machine: each has processes, a network, a name and a /dev/shm of its own; files are shared.

They are namespaces of Linux that hang on one process: when it ends, by `close` or because the tests were killed, the
kernel ends all that ran in them, and nothing of them is left on the machine. A `head` host has the switch of the
network; there a login node's commands run.

Source: the manual pages namespaces(7), unshare(1), nsenter(1), ip-link(8) and sshd_config(5).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil

NETWORK = "10.77.0"
HUNG = 600  # seconds after which a command counts as hung; a slow and busy machine may need some minutes
PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount", "ssh-keygen", "/usr/sbin/sshd", "pdsh")
APART = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--mount-proc")
# The first process of a host: it says when all is mounted, then does nothing but reap what has lost its parent.
INIT = """
set -e
hostname "$1"
mount -t tmpfs tmpfs /run && mkdir -p /run/sshd
mount -t tmpfs tmpfs /dev/shm
mount --bind "$2/hosts" /etc/hosts
mount --bind "$2/ssh_config" /etc/ssh/ssh_config
ip link set lo up
echo ready
sleep infinity & wait
"""
SSH_CONFIG = """
Host *
  IdentityFile {folder}/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ServerAliveInterval 5
  ServerAliveCountMax 3
"""
SSHD_CONFIG = """
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
PidFile none
MaxStartups 100
"""


def missing() -> str:
    """What is not here and is needed, in a few words; empty if all is there."""
    if os.geteuid() != 0:
        return "hosts in namespaces need root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)}"
    tried = subprocess.run([*APART, "ip", "link", "add", "type", "bridge"], capture_output=True, text=True)
    return f"namespaces are not to be had: {tried.stderr.strip()}" if tried.returncode else ""


class Host:
    """A host of a cluster; `pid` is its first process, as this machine counts."""

    def __init__(self, name: str, folder: Path, inside: Host | None = None) -> None:
        self.name, self.folder = name, folder
        within = inside.entered() if inside else ["setpriv", "--pdeathsig", "KILL"]
        self._started: list[subprocess.Popen[str]] = []
        self._process = subprocess.Popen(
            [*within, *APART, "bash", "-c", INIT, "init", name, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        if said != "ready\n":
            raise RuntimeError(f"{name} did not start: {said}")
        family = psutil.Process(self._process.pid).children(recursive=True)
        self.pid = next(process.pid for process in family if process.name() == "bash")

    def entered(self) -> list[str]:
        """The words before a command that run it on this host."""
        return ["nsenter", f"--target={self.pid}", "--pid", "--mount", "--net", "--uts", "--ipc", "--wd=."]

    def start(
        self, *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, log: str = ""
    ) -> subprocess.Popen[str]:
        """Start a command; its output goes to a file of the cluster's folder, or is kept if `log` is empty."""
        with open(self.folder / f"{log}.log" if log else os.devnull, "a") as out:
            process = subprocess.Popen(
                [*self.entered(), *map(str, command)],
                cwd=cwd or self.folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out if log else subprocess.PIPE,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(
        self,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; one that takes longer than `HUNG` seconds is killed, which is an error."""
        process = self.start(*command, env=env, cwd=cwd)
        try:
            out, err = process.communicate(timeout=HUNG)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"{command} took longer than {HUNG} s\n{out}\n{err}") from None
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def die(self) -> None:
        """End all processes at once, as a loss of power does."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()
        for process in self._started:
            process.kill()
            process.communicate()


class Cluster:
    """A head and some hosts on one switch; names are known to all, and ssh gets everywhere without a word."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self._address = {name: f"{NETWORK}.{i}" for i, name in enumerate(("head", *names), 1)}
        self._write_files()
        self.head = Host("head", folder)
        self.hosts: dict[str, Host] = {}
        try:
            self._in_switch("ip", "link", "add", "switch", "type", "bridge")
            self._in_switch("ip", "addr", "add", f"{self._address['head']}/24", "dev", "switch")
            self._in_switch("ip", "link", "set", "switch", "up")
            for name in names:
                self.boot(name)
        except BaseException:
            self.close()
            raise

    def boot(self, name: str) -> Host:
        """Start a host, also one that died before."""
        host, port, address = Host(name, self.folder, self.head), f"to-{name}", self._address[name]
        self._in_switch("ip", "link", "del", port, check=False)  # of the life before
        self._in_switch("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(host.pid))
        self._in_switch("ip", "link", "set", port, "master", "switch", "up")
        for words in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            subprocess.run(["nsenter", f"--target={host.pid}", "--net", "ip", *words], check=True)
        config = self.folder / f"sshd-{name}.conf"
        config.write_text(SSHD_CONFIG.format(address=address, folder=self.folder))
        host.start("/usr/sbin/sshd", "-D", "-e", "-f", config, log=f"sshd-{name}")
        self.hosts[name] = host
        return host

    def unplug(self, name: str) -> None:
        """Take a host from the network: it goes on, and nobody hears of it."""
        self._in_switch("ip", "link", "set", f"to-{name}", "down")

    def plug(self, name: str) -> None:
        """Put a host back on the network, and wait until it reaches the others: the link takes up to a second.

        Until then the kernel may say "no route", and the launcher of MPI asks once and waits for ever.
        """
        self._in_switch("ip", "link", "set", f"to-{name}", "up")
        for other in self.hosts.keys() - {name}:
            reach = partial(self.hosts[name].run, "ssh", other, "true")
            wait_until(lambda reach=reach: reach().returncode == 0, f"{name} does not reach {other}")

    def close(self) -> None:
        """End all hosts and what runs there."""
        self.head.die()

    def _in_switch(self, *command: str, check: bool = True) -> None:
        # Not the head's process namespace: the numbers of processes are those of this machine.
        entered = ["nsenter", f"--target={self.head.pid}", "--net"]
        subprocess.run([*entered, *command], check=check, capture_output=not check)

    def _write_files(self) -> None:
        known = "".join(f"{address} {name}\n" for name, address in self._address.items())
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{known}")
        (self.folder / "ssh_config").write_text(SSH_CONFIG.format(folder=self.folder))
        for key in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized")


def wait_until(condition: Callable[[], object], what: str, seconds: float = HUNG) -> None:
    """Ask every quarter of a second until `condition` holds; an error that says what did not come otherwise."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s: {what}"
        time.sleep(0.25)
