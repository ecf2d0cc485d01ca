"""`StandIn` has what `runkit.device.Gpu` has: kernels run on the CPU behind `cuda.h`, arrays are NumPy's.

It is strict where a GPU is silent: a scalar argument must have the size that the kernel declares, an array the size of
element, and be contiguous; empty arrays hold no numbers. It is late where a GPU may be: what a copy to the host brings
is seen after a wait alone, and kernels on a stream of their own run when another stream first comes after them. While
launches are recorded it refuses what a GPU would: to wait, to make arrays, copies of memory that is not pinned, and
other streams.
"""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from tests.shim.streams import Pinned, Stream, refuse_while_recording

HEADER = Path(__file__).parent / "cuda.h"
WITH_FMA = {"x86_64": ("-march=x86-64-v3",)}  # other processors have it anyway
KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)')
DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s*)?(\w+)\s+(\w+)\[\];")


def flags(machine: str) -> tuple[str, ...]:
    """Of g++, for this kind of processor."""
    return ("-O2", "-ffp-contract=off", "-std=c++17", "-fPIC", "-shared", "-w", *WITH_FMA.get(machine, ()))


FLAGS = flags(platform.machine())


class Arrays:
    """NumPy, where nothing is zero by chance: memory of a GPU holds what was there before."""

    def __getattr__(self, name: str):
        refuse_while_recording(f"xp.{name}")
        return getattr(np, name)

    @staticmethod
    def empty(shape, dtype=float) -> np.ndarray:
        refuse_while_recording("xp.empty")
        array = np.empty(shape, dtype)
        array.reshape(-1).view(np.uint8)[:] = 0xFF
        return array


class StandIn:
    """A GPU that is none."""

    xp = Arrays()
    name = identity = "stand-in"
    index = 0
    n_multiprocessors = 2
    clock = 1e9

    def __init__(self, shared_bytes: int = 1 << 17, free_bytes: int = 1 << 34, l2_bytes: int = 1 << 22) -> None:
        self.shared_bytes, self.free_bytes, self.l2_bytes = shared_bytes, free_bytes, l2_bytes
        self.shared_bytes_per_multiprocessor = 2 * shared_bytes
        self._modules: dict[tuple, Module] = {}

    def compile(self, source: str, options: Sequence[str] = ()) -> Module:
        """As CuPy does, one module for one text."""
        refuse_while_recording("compile")
        text = source, tuple(options)
        return self._modules.setdefault(text, Module(*_compiled(*text)))

    def resident_blocks(self, kernel: Kernel, n_threads: int) -> int:
        return self.n_multiprocessors * (2048 // n_threads)

    def launch_together(self, kernel: Kernel, grid, block, arguments) -> None:
        n_blocks = int(np.prod(grid))
        n_resident = self.resident_blocks(kernel, int(np.prod(block)))
        assert n_blocks <= n_resident, f"{n_blocks} blocks cannot all be resident"
        kernel(grid, block, arguments, together=True)

    def stream(self) -> Stream:
        return Stream()

    def order(self, first: Stream | None, then: Stream | None) -> None:
        refuse_while_recording("order")
        first, then = (each or Stream.present[-1] for each in (first, then))
        first.run()
        first.read()
        then.copies = [copy for copy in (*then.copies, *first.copies) if copy]  # those that have not arrived
        then.n_known = Stream.n_launched

    def graph(self, function):
        """As on a GPU: nothing is done while launches are recorded, and arguments stay those of the recording."""
        refuse_while_recording("graph")
        Stream.recorded, Stream.recording = [], Stream.present[-1]
        try:
            function()
            recorded = Stream.recorded
        finally:
            Stream.recorded = None

        def launch() -> None:
            for operation in recorded:
                operation(Stream.present[-1])

        return launch

    def address(self, array: np.ndarray) -> int:
        return array.ctypes.data

    def wait(self) -> None:
        refuse_while_recording("wait")
        Stream.present[-1].run()
        Stream.present[-1].arrive()

    def pinned(self, shape, dtype) -> np.ndarray:
        refuse_while_recording("pinned")
        return np.empty(shape, dtype).view(Pinned)

    def to_host(self, array: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        if out is None:
            refuse_while_recording("a copy that waits")
            Stream.present[-1].arrive()
            return array.copy()
        Stream.present[-1].send(array, out)
        return out

    def to_device(self, array: np.ndarray, out: np.ndarray) -> None:
        Stream.present[-1].bring(array, out)


class Module:
    """Compiled text."""

    def __init__(self, library: ctypes.CDLL, n_parameters: dict[str, int]) -> None:
        self._library, self._n = library, n_parameters
        self._kernels: dict[str, Kernel] = {}

    def get_function(self, name: str):
        """The kernel of this name, to be called as kernel(grid, block, arguments, shared_mem=0); there is one alone."""
        if name not in self._kernels:
            sizes = (ctypes.c_size_t * (2 * self._n[name])).in_dll(self._library, f"sizes_{name}")
            self._kernels[name] = Kernel(getattr(self._library, f"launch_{name}"), name, list(sizes))
        return self._kernels[name]


class Kernel:
    """One kernel of a module."""

    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, function, name: str, sizes: list[int]) -> None:
        self._function, self._name = function, name
        self._sizes, self._pointees = sizes[::2], sizes[1::2]

    def __call__(self, grid, block, arguments, *, shared_mem: int = 0, together: bool = False) -> None:
        assert not (together and shared_mem), "blocks that run in turns have one shared memory here"
        assert shared_mem <= self.max_dynamic_shared_size_bytes, f"{self._name}: {shared_mem} bytes of shared memory"
        assert np.prod(block) <= 1024, f"{self._name}: {block} threads in a block"
        assert len(arguments) == len(self._sizes), f"{self._name}: {len(arguments)} arguments, not {len(self._sizes)}"
        assert max(*grid[1:], 0, 0) <= 65535, f"{self._name}: {grid} blocks"
        held = [self._pass(k, argument) for k, argument in enumerate(arguments)]
        pointers = (ctypes.c_void_p * len(held))(*(value.ctypes.data for value in held))
        dims = [(ctypes.c_uint * 3)(*(*map(int, n), 1, 1)[:3]) for n in (grid, block)]
        Stream.present[-1].launch(partial(self._launch, (*dims, shared_mem, together, pointers), (held, arguments)))

    def _launch(self, how, _held) -> None:
        self._function(*how)

    def _pass(self, k: int, argument) -> np.ndarray:
        where, pointee = f"{self._name}, argument {k}", self._pointees[k]
        if isinstance(argument, np.ndarray):
            assert pointee, f"{where}: an array for a number"
            assert pointee == argument.itemsize, f"{where}: {argument.dtype} where elements have {pointee} bytes"
            assert argument.flags.c_contiguous, f"{where}: not contiguous"
            return np.array(argument.ctypes.data, np.uintp)
        value = np.asarray(argument)  # as CuPy does: int is 64 bits, float is double
        assert not pointee, f"{where}: a number for an array"
        assert value.itemsize == self._sizes[k], f"{where}: {value.dtype} for a type of {self._sizes[k]} bytes"
        return value


@cache
def _compiled(source: str, options: tuple[str, ...]) -> tuple[ctypes.CDLL, dict[str, int]]:
    """The library of a text, and how many parameters its kernels have."""
    defines = [option for option in options if option.startswith(("-D", "--define-macro"))]
    plain = _without_macros(source, defines)
    parameters = {name: _parameters(text) for name, text in KERNEL.findall(plain)}
    text = DYNAMIC.sub(r"\1* \2 = reinterpret_cast<\1*>(shim::shared);", plain)
    text += "\n" + "\n".join(_glue(name, types) for name, types in parameters.items())
    digest = sha256("\0".join([text, HEADER.read_text(), *FLAGS]).encode()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"stand-in-{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            unit, built = Path(folder) / "unit.cpp", Path(folder) / "unit.so"
            unit.write_text(text)
            subprocess.run(["g++", *FLAGS, "-include", str(HEADER), str(unit), "-o", str(built)], check=True)
            built.replace(library)
    return ctypes.CDLL(str(library)), {name: len(types) for name, types in parameters.items()}


def _without_macros(source: str, defines: list[str]) -> str:
    """The text with its own macros expanded: signatures may contain them."""
    command = ["g++", "-E", "-P", *defines, "-x", "c++", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def _parameters(text: str) -> list[str]:
    """The types of a list of parameters."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/|__restrict__", "", text, flags=re.S)
    return [re.sub(r"\w+\s*$", "", part).strip() for part in plain.split(",") if part.strip()]


def _glue(name: str, types: list[str]) -> str:
    """A function that launches a kernel with the arguments that an array of pointers points to."""
    values = ", ".join(f"*({kind}*)arguments[{k}]" for k, kind in enumerate(types))
    sizes = ", ".join(f"sizeof({kind}), shim::Pointee<{kind}>::size" for kind in types)
    return (
        f'extern "C" size_t sizes_{name}[] = {{{sizes}}};\n'
        f'extern "C" void launch_{name}(const unsigned* grid, const unsigned* block, unsigned n, bool together, '
        f"void** arguments) {{ shim::launch(grid, block, n, together, [&] {{ {name}({values}); }}); }}"
    )
