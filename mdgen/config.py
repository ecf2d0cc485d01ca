"""Configuration of a generation run: every key that a user may set, its default, unit and allowed range.

Units: Lennard-Jones (epsilon_AA = sigma_AA = m = k_B = 1). The defaults are a small case that a laptop finishes in
about two minutes; the published protocol lies in `jobs/cases/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, field_validator

from runkit.config import Config, GraceSeconds, Minutes
from runkit.device import Device
from runkit.imports import GRACE_SECONDS

LONGEST = 1e10  # time that anything may take
SHORTEST = 1e-6  # time step, and time between snapshots

ASCENDING = f"positive times that ascend, by {SHORTEST:g} or more, up to {LONGEST:g}"


def ascend(times: Sequence[float]) -> bool:
    """Whether times ascend from above 0, far enough apart for a time step between them; not if one is no number."""
    away = all(later - earlier >= SHORTEST * (1 - 1e-6) for earlier, later in pairwise((0.0, *times)))
    return away and max(times, default=0.0) <= LONGEST


class System(Config):
    """What is simulated."""

    potential: str = Field("kob-andersen", description="name of a registered potential")
    parameters: dict[str, Any] = Field({}, description="parameters of the potential, as its law names them")
    n_particles: int = Field(512, ge=2, description="number of particles of a sample")
    composition: tuple[float, ...] = Field((0.8, 0.2), min_length=1, description="fractions of species 0, 1, …")
    density: float = Field(1.2, gt=0, description="number density [sigma^-3]")
    temperature: float = Field(0.64, gt=0, description="temperature [epsilon/k_B]")

    @field_validator("composition")
    @classmethod
    def _fractions_sum_to_one(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(fractions) - 1) > 1e-6 or min(fractions) < 0:
            raise ValueError(f"{list(fractions)} is not allowed; allowed: fractions that are 0 or more and sum to 1")
        return fractions


class Initial(Config):
    """Where samples start."""

    file: tuple[str, ...] = Field((), description="files of given configurations (globs allowed); none: cool a melt")
    species: tuple[str, ...] = Field((), description="names of species 0, 1, … in the files; none: A, B, … or numbers")
    frames: tuple[int, ...] = Field((), description="frames of each file, from 0, or from -1 backwards; none: all")
    temperature: float = Field(3.0, gt=0, description="temperature of the melt [epsilon/k_B]")
    melt_time: float = Field(5.0, ge=0, le=LONGEST, description="time in the melt [tau_LJ]")
    cooling_time: float = Field(
        15.0, ge=0, le=LONGEST, description="time of the linear ramp to system.temperature [tau_LJ]"
    )
    hold_time: float = Field(
        60.0, ge=0, le=LONGEST, description="time at system.temperature before the sample is taken [tau_LJ]"
    )
    thermostat: str = Field("bussi", description="name of a registered thermostat")
    relaxation_time: float = Field(0.5, gt=0, description="relaxation time of the thermostat [tau_LJ]")

    @field_validator("species", mode="before")
    @classmethod
    def _numbers_are_names(cls, names: Any) -> Any:
        is_list = isinstance(names, (list, tuple))
        return [str(name) if type(name) is int else name for name in names] if is_list else names

    @field_validator("species")
    @classmethod
    def _names_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"{list(names)} is not allowed; allowed: one name for each species, all different")
        return names


class Integrator(Config):
    """How trajectories are integrated."""

    dt: float = Field(
        0.005, ge=SHORTEST, le=0.02, description="longest time step; snapshots are exactly on time [tau_LJ]"
    )
    precision: Literal["float32", "float64"] = Field("float32", description="arithmetic of the pair forces")


class Production(Config):
    """Which isoconfigurational ensembles are run."""

    n_samples: int = Field(
        32, ge=1, le=100_000, description="initial configurations; with initial.file at most as many as given"
    )
    n_replicas: int = Field(16, ge=2, le=100_000, description="trajectories from each, with fresh velocities")
    times: tuple[float, ...] = Field((0.1, 1.65, 16.5), min_length=1, description="times of the snapshots [tau_LJ]")

    store: Literal["all", "labels"] = Field(
        "all", description="what the file keeps: all, or labels without positions of replicas: small enough to share"
    )

    @field_validator("times")
    @classmethod
    def _times_ascend(cls, times: tuple[float, ...]) -> tuple[float, ...]:
        if not ascend(times):
            raise ValueError(f"{list(times)} is not allowed; allowed: {ASCENDING}")
        return times


class Label(Config):
    """What is measured on the trajectories."""

    bond_cutoff: float = Field(2.0, gt=0, description="initial pairs closer than this are bonds [sigma]")
    bond_capacity: float = Field(1.25, ge=1, description="room for bonds in the file, relative to a uniform liquid")
    wave_number: float = Field(7.25, gt=0, description="q of the self-intermediate scattering function [1/sigma]")


class RunConfig(Config):
    """One run of mdgen: one file."""

    output: str = Field("data/kob_andersen.h5", min_length=1, description="file to write")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of all random numbers")
    device: Device = Field("auto", description="cpu, gpu, or auto: a GPU where there is one")
    replicas_per_gpu: int = Field(
        528, ge=1, le=65535, description="most replicas, or samples, that advance together on a GPU"
    )
    checkpoint_seconds: float = Field(300, ge=0, description="least time between checkpoints of a unit of work [s]")
    minutes: Minutes = 0
    grace_seconds: GraceSeconds = GRACE_SECONDS
    system: System = System()
    initial: Initial = Initial()
    integrator: Integrator = Integrator()
    production: Production = Production()
    label: Label = Label()


# Keys that may differ when an unfinished file is resumed: they cannot change what is written into it.
FREE_KEYS = ("output", "device", "replicas_per_gpu", "checkpoint_seconds", "minutes", "grace_seconds")
