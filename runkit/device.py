"""The choice between CPU and GPU, and the only module that uses CuPy.

A program calls `choose(world, name)` once. It gets None for the CPU, or the `Gpu` of this rank: arrays, kernels
compiled from CUDA C (`nvrtc.py`), streams, copies.

Source: https://docs.cupy.dev (RawModule, streams, pinned memory).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from runkit.arrays import Array, DType
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World
from runkit.nvrtc import INSTALL, NoGpu, cupy, has_gpu, kept, target

Device = Literal["auto", "cpu", "gpu"]
DeviceArray: TypeAlias = Any  # an array of CuPy, which has no types: what it holds stands in docstrings

GIB = 2.0**30
INSUFFICIENT_DRIVER = 35  # cudaErrorInsufficientDriver


class Gpu:
    """GPU number `index` of this node, which `n_sharing` ranks share. `xp` are CuPy's arrays."""

    n_sharing = 1

    def __init__(self, index: int) -> None:
        self.xp = cupy()
        self.index = index
        runtime = self.xp.cuda.runtime
        try:
            runtime.setDevice(index)
            properties = runtime.getDeviceProperties(index)
            self.identity = _identity(runtime.deviceGetPCIBusId(index), properties)
            self._compiler: Any = self.xp.cuda.nvrtc.getVersion()
            known: tuple[int, ...] = self.xp.cuda.nvrtc.getSupportedArchs()
            own = int(self.xp.cuda.Device(index).compute_capability)
        except RuntimeError as error:  # those of CuPy are, also if it finds no compiler
            raise NoGpu(f"GPU {index} cannot be used: {error}") from error
        self.name: str = properties["name"].decode()
        self.architecture = target(own, known, self.name)
        self.shared_bytes: int = properties["sharedMemPerBlockOptin"]
        self.shared_bytes_per_multiprocessor: int = properties["sharedMemPerMultiprocessor"]
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
        path = kept(source, self.architecture, tuple(options), self._compiler)
        return self.xp.RawModule(path=str(path))

    def resident_blocks(self, kernel: Any, n_threads: int) -> int:
        """Blocks of `n_threads` threads of a kernel that the GPU holds at once; 0 if it cannot promise to."""
        runtime, driver = self.xp.cuda.runtime, self.xp.cuda.driver
        if not runtime.deviceGetAttribute(runtime.cudaDevAttrCooperativeLaunch, self.index):
            return 0
        n_blocks: int = driver.occupancyMaxActiveBlocksPerMultiprocessor(kernel.kernel.ptr, n_threads, 0)
        return n_blocks * self.n_multiprocessors

    def launch_together(
        self, kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]
    ) -> None:
        """Launch blocks that may wait for each other: all are resident, or the launch fails."""
        kernel.kernel(grid, block, arguments, enable_cooperative_groups=True)

    def stream(self) -> Any:
        """A new stream, that kernels and copies go to within `with`; it does not wait for the others."""
        return self.xp.cuda.Stream(non_blocking=True)

    def order(self, first: Any, then: Any) -> None:
        """Stream `then` goes on only after the present work of stream `first`; None is the present stream."""
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

    def address(self, array: DeviceArray) -> int:
        """Where the array lies, for tables of pointers."""
        address: int = array.data.ptr
        return address

    def wait(self) -> None:
        """Wait until all work of the present stream is done."""
        self.xp.cuda.get_current_stream().synchronize()

    def pinned(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """A NumPy array that copies need not wait for."""
        import cupyx

        buffer: Array = cupyx.empty_pinned(shape, dtype)
        return buffer

    def to_host(self, array: DeviceArray, out: Array | None = None) -> Array:
        """Copy to NumPy. Into a pinned `out` it only begins: `wait` before looking."""
        copy: Array = array.get(out=out, blocking=out is None)
        return copy

    def to_device(self, array: Array, out: DeviceArray) -> None:
        """Copy `array` to `out`. If it is pinned, this only begins."""
        out.set(array)


def choose(world: World, wanted: str) -> Gpu | None:
    """The GPU of this rank (its number on the node, modulo the node's GPUs), or None for the CPU; prints which.

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
    has_one = world.all_gather(gpu is not None)
    if any(has_one) and not all(has_one):
        without = len(has_one) - sum(has_one)
        raise UserError(
            f"device = {wanted}: {without} of {len(has_one)} ranks find no GPU; start ranks only where there is "
            "one, or set device = cpu"
        )
    if gpu is not None:
        gpu.n_sharing = node.all_gather(gpu.identity).count(gpu.identity)
    _announce(world, gpu, reason)
    return gpu


def need(gpu: Gpu, n_bytes: float, advice: str) -> None:
    """Refuse what does not fit: raises UserError with what is needed, what there is, and `advice`."""
    if n_bytes > gpu.free_bytes:
        raise UserError(
            f"device memory: {n_bytes / GIB:.3g} GiB are needed and {gpu.free_bytes / GIB:.3g} GiB are free on "
            f"{gpu.name}; {advice}"
        )


def _identity(bus: str, properties: Any) -> str:
    """The same for all ranks that share a GPU; slices of one GPU (MIG) have one place on the bus, but UUIDs apart."""
    return f"{bus} {properties.get('uuid')!r}"


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
    runtime = cupy().cuda.runtime
    try:
        count: int = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise NoGpu(_reason(runtime, error)) from error
    if not count:
        raise NoGpu("there is no GPU that this process may use")
    return count


def _reason(runtime: Any, error: Any) -> str:
    if error.status == INSUFFICIENT_DRIVER and has_gpu():
        driver, library = _version(runtime.driverGetVersion()), _version(runtime.runtimeGetVersion())
        return f"the driver supports CUDA up to {driver}, CuPy needs {library}: update it, or {INSTALL}"
    return "there is no GPU that this process may use" + (f" ({error})" if has_gpu() else "")


def cuda_version() -> str:
    """CuPy, the CUDA that it was built for, and that of the driver; or why there is none."""
    try:
        found = cupy()
    except NoGpu as reason:
        return str(reason)
    runtime = found.cuda.runtime
    try:
        number = runtime.driverGetVersion()
    except runtime.CUDARuntimeError:
        number = 0
    driver = f"driver for CUDA {_version(number)}" if number else "no driver"
    return f"CuPy {found.__version__} for CUDA {_version(runtime.runtimeGetVersion())}, {driver}"


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
