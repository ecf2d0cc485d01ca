"""`python -m lbmgen [show] [case.toml] [section.key=value …]`, alone or under mpiexec."""

from __future__ import annotations

from functools import partial

from runkit.mpi import launch, single_threaded


def main() -> None:
    """Simulate flow past obstacles, many cases, into one parallel HDF5 file.

    Exit code: 0 all cases are complete, 3 some failed, 4 all failed, 2 a mistake in the configuration, 1 another error.
    """
    single_threaded()
    from lbmgen.boundaries import boundary
    from lbmgen.collisions import collision
    from lbmgen.config import Case
    from lbmgen.obstacles import obstacle
    from lbmgen.plan import show
    from runkit.cli import run_program

    parts = {
        "obstacles.families and obstacles.given": obstacle,
        "boundaries": boundary,
        "collision.name": collision,
    }
    run_program("python -m lbmgen", Case, partial(launch, _generate), show, main.__doc__ or "", parts=parts)


def _generate(world, case) -> int:
    from lbmgen.run import generate

    return generate(world, case)


if __name__ == "__main__":
    main()
