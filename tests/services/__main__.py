"""Installs what services need where that may be done: `python -m tests.services slurm hosts`.

Names the services that can be tried on standard output, and why others cannot on standard error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.services import cluster, slurm

PACKAGES = {
    "slurm": ("slurm-wlm", "munge", "openssh-server", "pdsh", "iproute2"),
    "hosts": ("openssh-server", "pdsh", "iproute2"),
}
# Daemons of a new package do not start where this says 101 (Debian Policy, 9.3.3.2).
POLICY = Path("/usr/sbin/policy-rc.d")


def missing(service: str) -> str:
    """What is not here and is needed for a service, in a few words; empty if all is there."""
    return "; ".join(filter(None, [cluster.missing(), slurm.missing() if service == "slurm" else ""]))


def install(packages: Sequence[str]) -> str:
    """Install Debian packages without starting their daemons; what went wrong, or nothing."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "neither root nor apt to install it"
    is_ours = not POLICY.exists()
    try:
        if is_ours:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(["apt-get", "-qq", *words], env=environment, capture_output=True, text=True)
            if done.returncode:
                return f"apt-get {words[0]}: {' '.join(done.stderr.split()[-20:])}"
    except OSError as error:
        return str(error)
    finally:
        if is_ours:
            with suppress(OSError):
                POLICY.unlink()
    return ""


def main(services: Sequence[str]) -> None:
    """Look at each service, and install what it lacks."""
    if not services or (unknown := sorted(set(services) - set(PACKAGES))):
        sys.exit(f"{' '.join(unknown) if services else 'no service'} is not known; services: {', '.join(PACKAGES)}")
    for service in services:
        lacking = missing(service)
        problem = install(PACKAGES[service]) if lacking else ""
        if lacking := missing(service):
            needed = " ".join(PACKAGES[service])
            print(f"{service}: {lacking} (Debian: {needed}); {problem}", file=sys.stderr)
        else:
            print(service)


if __name__ == "__main__":
    main(sys.argv[1:])
