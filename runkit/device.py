"""The one choice between CPU and GPU, and the one door to CuPy.

A program asks `choose(world, name)` once. It gets None for the CPU, or the `Gpu` of this rank: arrays, kernels compiled
from CUDA C, streams, copies. Kernels are compiled without contraction (`--fmad=false`), with IEEE division and square
root, and keep numbers below the least normal one: they round where their text says so, as the kernels for the CPU do.

Source: https://docs.cupy.dev (RawModule, streams, pinned memory); https://docs.nvidia.com/cuda/nvrtc (options).
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from runkit.cache import write_whole
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World

Device = Literal["auto", "cpu", "gpu"]

STRICT = ("--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false")
GIB = 2.0**30
EMBEDDED = (72, 87, 88, 101, 110)  # architectures of Jetson boards, whose machine code other GPUs do not run
INSUFFICIENT_DRIVER = 35  # cudaErrorInsufficientDriver
INSTALL = "pip install -e '.[gpu]' (CUDA 12) or '.[gpu-cuda13]' (CUDA 13)"


class NoGpu(Exception):
    """Why there is none, for a reader."""


class Gpu:
    """GPU number `index` of this node, which `n_sharing` ranks share. `xp` are CuPy's arrays."""

    n_sharing = 1

    def __init__(self, index: int) -> None:
        self.xp = _cupy()
        self.index = index
        runtime = self.xp.cuda.runtime
        try:
            runtime.setDevice(index)
            properties = runtime.getDeviceProperties(index)
            self.identity: str = runtime.deviceGetPCIBusId(index)  # the same for all ranks that share it
            self._compiler: Any = self.xp.cuda.nvrtc.getVersion()
            known: tuple[int, ...] = self.xp.cuda.nvrtc.getSupportedArchs()
            own = int(self.xp.cuda.Device(index).compute_capability)
        except RuntimeError as error:  # those of CuPy are, also if it finds no compiler
            raise NoGpu(f"GPU {index} cannot be used: {error}") from error
        self.name: str = properties["name"].decode()
        self.architecture = _architecture(own, known, self.name)
        self.shared_bytes: int = properties["sharedMemPerBlockOptin"]
        self.n_multiprocessors: int = properties["multiProcessorCount"]
        self.l2_bytes: int = properties["l2CacheSize"]

    @property
    def free_bytes(self) -> int:
        """Memory that this rank can still have, with what CuPy keeps for it; up to an equal part of all."""
        pool = self.xp.get_default_memory_pool()
        free, total = self.xp.cuda.runtime.memGetInfo()
        return int(min(free + pool.free_bytes(), total / self.n_sharing - pool.used_bytes()))

    @property
    def clock(self) -> float:
        """Cycles per second at full speed."""
        return 1e3 * float(self.xp.cuda.Device(self.index).attributes["ClockRate"])

    def compile(self, source: str, options: Sequence[str] = ()) -> Any:
        """A module of the kernels in `source`; `get_function(name)(grid, block, arguments, shared_mem=0)` launches."""
        return self.xp.RawModule(path=str(self._compiled(source, tuple(options))))

    def _compiled(self, source: str, options: tuple[str, ...]) -> Path:
        """Where its machine code lies, beside what CuPy keeps there: named by all that it is made of."""
        made_of = repr((self.architecture, self._compiler, STRICT, options, source))
        name = f"{sha256(made_of.encode()).hexdigest()}.strict.cubin"
        path = Path(os.path.expanduser(os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")), name)
        if not _is_machine_code(path):
            code, _ = machine_code(source, self.architecture, options)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, code)
            except OSError:  # no writable place: every process compiles for itself
                path = Path(self._own_folder.name) / name
                write_whole(path, code)
        return path

    @cached_property
    def _own_folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="kernels-")

    def resident_blocks(self, kernel: Any, n_threads: int) -> int:
        """Blocks of `n_threads` threads of a kernel that the GPU holds at once; 0 if it cannot promise to."""
        runtime, driver = self.xp.cuda.runtime, self.xp.cuda.driver
        if not runtime.deviceGetAttribute(runtime.cudaDevAttrCooperativeLaunch, self.index):
            return 0
        n_blocks: int = driver.occupancyMaxActiveBlocksPerMultiprocessor(kernel.kernel.ptr, n_threads, 0)
        return n_blocks * self.n_multiprocessors

    def launch_together(self, kernel: Any, grid: tuple, block: tuple, arguments: tuple) -> None:
        """Launch blocks that may wait for each other: all are resident, or the launch fails."""
        kernel.kernel(grid, block, arguments, enable_cooperative_groups=True)

    def stream(self) -> Any:
        """A new stream, that kernels and copies go to within `with`; it does not wait for the others."""
        return self.xp.cuda.Stream(non_blocking=True)

    def order(self, first: Any, then: Any) -> None:
        """Stream `then` goes on only after what has been asked of stream `first`; None is the present one."""
        present = self.xp.cuda.get_current_stream()
        event = self.xp.cuda.Event(disable_timing=True)
        (then or present).wait_event((first or present).record(event))

    def graph(self, function: Callable[[], None]) -> Callable[[], None]:
        """What `function` launches, with the same arguments, to be launched again by one call.

        It may launch kernels that have been launched before, and copy to and from pinned memory; it may not wait, nor
        make arrays.
        """
        stream = self.stream()
        with stream:
            stream.begin_capture()
            function()
            launch: Callable[[], None] = stream.end_capture().launch
        return launch

    def address(self, array: Any) -> int:
        """Where the array lies, for tables of pointers."""
        address: int = array.data.ptr
        return address

    def wait(self) -> None:
        """Until all that was asked of the present stream is done."""
        self.xp.cuda.get_current_stream().synchronize()

    def pinned(self, shape: Any, dtype: Any) -> Any:
        """A NumPy array that copies need not wait for."""
        import cupyx

        return cupyx.empty_pinned(shape, dtype)

    def to_host(self, array: Any, out: Any = None) -> Any:
        """Copy to NumPy. Into a pinned `out` it only begins: `wait` before looking."""
        return array.get(out=out, blocking=out is None)

    def to_device(self, array: Any, out: Any) -> None:
        """Copy `array` to `out`. If it is pinned, this only begins."""
        out.set(array)


def machine_code(source: str, architecture: str, options: Sequence[str] = ()) -> tuple[bytes, str]:
    """The kernels of `source` for `architecture` ("sm_90"), and the compiler's log, which RuntimeError has if it fails.

    Needs no GPU. CuPy cannot be asked for this: it adds -ftz=true to all options, and the last one counts (CuPy issue
    9576).
    """
    nvrtc = _cupy().cuda.nvrtc
    program = nvrtc.createProgram(source, "kernels.cu", [], [])
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", *STRICT, *options))
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)
    except nvrtc.NVRTCError as error:
        raise RuntimeError(nvrtc.getProgramLog(program)) from error
    finally:
        nvrtc.destroyProgram(program)


def _is_machine_code(path: Path) -> bool:
    """Whether there is a file that begins as machine code does; one that a failing disk has emptied does not."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def choose(world: World, wanted: str) -> Gpu | None:
    """The GPU of this rank (its number on the node, modulo the node's GPUs), or None for the CPU; says which.

    Collective. Raises UserError if `wanted` is "gpu" and this rank cannot have one; "auto" takes one where there is, if
    there is one for every rank or for none: work is shared out among equals.
    """
    node, gpu, reason = world.node(), None, ""
    if wanted != "cpu":
        try:
            gpu = Gpu(node.rank % _count())
        except NoGpu as error:
            reason = str(error)
            if wanted == "gpu":
                raise UserError(f"device = gpu: {reason}; or set device = cpu") from error
    has_one = world.allgather(gpu is not None)
    if any(has_one) and not all(has_one):
        without = len(has_one) - sum(has_one)
        raise UserError(
            f"device = {wanted}: {without} of {len(has_one)} ranks find no GPU; start ranks only where there is "
            "one, or set device = cpu"
        )
    if gpu is not None:
        gpu.n_sharing = node.allgather(gpu.identity).count(gpu.identity)
    _announce(world, gpu, reason)
    return gpu


def need(gpu: Any, n_bytes: float, advice: str) -> None:
    """Refuse what does not fit: raises UserError with what is needed, what there is, and `advice`."""
    if n_bytes > gpu.free_bytes:
        raise UserError(
            f"device memory: {n_bytes / GIB:.3g} GiB are needed and {gpu.free_bytes / GIB:.3g} GiB are free on "
            f"{gpu.name}; {advice}"
        )


def _architecture(own: int, known: Sequence[int], name: str) -> str:
    """The newest one whose machine code a GPU of architecture `own` can run, of those `known` to the compiler."""
    fitting = [one for one in known if one // 10 == own // 10 and one <= own and (one == own or one not in EMBEDDED)]
    if not fitting:
        raise NoGpu(f"CuPy's compiler has no machine code for {name} (sm_{own}): {INSTALL}")
    return f"sm_{max(fitting)}"


def _announce(world: World, gpu: Gpu | None, reason: str) -> None:
    """One line of what all ranks compute on."""
    named = world.gather(gpu.name if gpu else "")
    if named is None:
        return
    kinds = Counter(named)
    n_cpu = kinds.pop("", 0)
    parts = [f"{n} {'rank' if n == 1 else 'ranks'} on {name}" for name, n in sorted(kinds.items())]
    if n_cpu:
        parts.append(f"{n_cpu} {'rank' if n_cpu == 1 else 'ranks'} on the CPU" + (f" ({reason})" if reason else ""))
    say(world, "device: " + ", ".join(parts))


def _count() -> int:
    """GPUs that this process may see; raises NoGpu with the reason if there are none."""
    runtime = _cupy().cuda.runtime
    try:
        count: int = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise NoGpu(_reason(runtime, error)) from error
    if not count:
        raise NoGpu("there is no GPU that this process may use")
    return count


def _reason(runtime: Any, error: Any) -> str:
    if error.status == INSUFFICIENT_DRIVER and _has_gpu():
        driver, library = _version(runtime.driverGetVersion()), _version(runtime.runtimeGetVersion())
        return f"the driver knows CUDA up to {driver}, CuPy needs {library}: update it, or {INSTALL}"
    return "there is no GPU that this process may use" + (f" ({error})" if _has_gpu() else "")


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


def _cupy() -> Any:
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        missing = f"CuPy does not work here ({error}): {INSTALL}" if _has_gpu() else "no GPU, and no CuPy"
        raise NoGpu(missing) from error
