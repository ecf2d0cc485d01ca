"""Kernels compiled for real GPUs where there is none, by the compiler that CuPy would use."""

from __future__ import annotations

from collections.abc import Sequence

from runkit.device import STRICT

ARCHITECTURES = ("sm_80", "sm_90")  # A100; H100 and H200


def machine_code(source: str, architecture: str, options: Sequence[str] = ()) -> bytes:
    """The kernels of `source` for `architecture`; raises RuntimeError with the compiler's words."""
    from cupy_backends.cuda.libs import nvrtc

    program = nvrtc.createProgram(source, "kernels.cu", [], [])
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", *STRICT, *options))
        return nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError as error:
        raise RuntimeError(nvrtc.getProgramLog(program)) from error
    finally:
        nvrtc.destroyProgram(program)
