"""Whether messages between ranks may be arrays of a GPU, found by a trial, or are copies in pinned memory of the host.

A library reports whether it was built to take device buffers; whether it does depends on the system it was built on and
on how it is started, and one that does not ends the program with a fault of memory. So one process of each node tries
first, apart from the run: it sends device buffers to itself by the same calls. That proves that the library recognises
device memory and copies it right. What lies between processes and nodes it does not prove: the ranks of the
run then send round a ring and compare, where other bytes are noticed and a fault of the driver or the network is not
caught. `GLASSFLOW_MESSAGES=host` avoids device buffers, `=device` takes them untried.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from runkit.child import run_apart
from runkit.errors import UserError
from runkit.launcher import alone
from runkit.log import say
from runkit.mpi.echo import Accelerator, wrong
from runkit.mpi.library import says_cuda_aware
from runkit.mpi.world import World

VARIABLE = "GLASSFLOW_MESSAGES"
CHOICES = ("auto", "device", "host")
TRIAL = (sys.executable, "-m", "runkit.trial")  # and the number of the GPU
SECONDS = 60.0  # for Python, CuPy and MPI to start from a slow disk; what hangs costs them once


def takes_device_arrays(world: World, gpu: Accelerator, trial: Sequence[str] = TRIAL, seconds: float = SECONDS) -> bool:
    """Whether all ranks send and receive arrays of their GPUs; prints which way messages go. Collective."""
    wanted = world.on_root(_wanted)
    if wanted != "auto":
        _announce(world, f"{VARIABLE} = {wanted}", wanted == "device")
        return bool(wanted == "device")
    node = world.node()
    mine = _refusal([*trial, str(gpu.index)], seconds) if node.is_root else ""
    refusal = next(filter(None, world.all_gather(mine)), "")
    _announce(world, refusal or "tried", not refusal)
    if not refusal:
        refusal = next(filter(None, world.all_gather(wrong(world, gpu))), "")
        if refusal:
            _announce(world, refusal, False)
    return not refusal


def _wanted() -> str:
    wanted = os.environ.get(VARIABLE) or "auto"
    if wanted not in CHOICES:
        raise UserError(f"{VARIABLE} = {wanted} in the environment: must be one of {', '.join(CHOICES)}")
    return wanted


def _refusal(command: Sequence[str], seconds: float) -> str:
    """Why there is no sending of device buffers, as far as one process can find out; "" if it works."""
    if says_cuda_aware() is False:
        return "the MPI library says that it takes no device buffers"
    try:
        ended = run_apart(command, seconds, alone(os.environ))
    except OSError as error:
        return f"a trial of device buffers could not start: {error}"
    if ended.code == 0:
        return ""
    last = next(reversed(ended.text.strip().splitlines()), "") if (ended.code or 0) > 0 else ""
    how = f"took more than {seconds:g} s" if ended.code is None else f"ended with {ended.how}"
    return f"a trial of device buffers {how}" + (f": {last[-200:]}" if last else "")


def _announce(world: World, reason: str, directly: bool) -> None:
    say(world, f"messages: {'device buffers' if directly else 'through pinned host memory'} ({reason})")
