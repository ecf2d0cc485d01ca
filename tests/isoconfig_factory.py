"""A tiny ISOCONFIG file for tests: made-up trajectories with labels that follow from them by definition.

Particles of a jittered lattice jump by Gaussian steps, longer where neighbours are far: propensity can be learnt.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.schema import COMPLETE
from runkit.dataset.writer import Writer
from runkit.mpi import SerialWorld

CUTOFF = 2.0
CONFIG = {"system": {"density": 1.2, "temperature": 0.5}, "label": {"bond_cutoff": CUTOFF}}


def minimum_image(vector: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] to the nearest periodic image."""
    return vector - box * np.rint(vector / box)


def ensemble(rng: np.random.Generator, n_particles: int, n_replicas: int, times: np.ndarray) -> dict[str, np.ndarray]:
    """All fields of one sample, without the axis of samples."""
    box = np.full(3, (n_particles / 1.2) ** (1 / 3))
    n_cells = int(np.ceil(n_particles ** (1 / 3)))
    cells = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = (rng.permutation(cells)[:n_particles] + 0.5) * box / n_cells
    inherent = sites + rng.normal(0, 0.08, sites.shape)
    initial = np.mod(inherent + rng.normal(0, 0.04, sites.shape), box)
    species = (np.arange(n_particles) >= round(0.8 * n_particles)).astype(np.int8)
    tree = cKDTree(initial, boxsize=box)
    bond = tree.query_pairs(CUTOFF, output_type="ndarray")
    bond = bond[np.lexsort((bond[:, 1], bond[:, 0]))]
    nearness = (1 - np.linalg.norm(minimum_image(initial[bond[:, 1]] - initial[bond[:, 0]], box), axis=1) / CUTOFF) ** 2
    crowd = np.bincount(bond.ravel(), np.repeat(nearness, 2), n_particles)
    width = 0.05 * np.exp(-0.6 * (crowd - crowd.mean()) / crowd.std()) * (1 + species)
    jump = rng.normal(size=(len(times), n_replicas, n_particles, 3))
    position = (initial + jump * width[:, None] * np.sqrt(times)[:, None, None, None]).astype(np.float32)
    return {
        "box": box,
        "species": species,
        "initial_position": initial,
        "inherent_position": inherent,
        "position": position,
        "bond": bond,
    }


def labels(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Labels of one sample by their definitions."""
    initial, box, (i, j) = fields["initial_position"], fields["box"], fields["bond"].T
    displacement = np.linalg.norm(fields["position"] - initial, axis=-1)
    distance = np.linalg.norm(minimum_image(initial[j] - initial[i], box), axis=-1)
    moved = minimum_image(fields["position"][..., j, :] - fields["position"][..., i, :], box)
    change = np.linalg.norm(moved, axis=-1) - distance
    root = np.sqrt(displacement.shape[1])
    return {
        "propensity": displacement.mean(1),
        "propensity_error": displacement.std(1, ddof=1) / root,
        "bond_change": change.mean(1),
        "bond_change_error": change.std(1, ddof=1) / root,
    }


def write_isoconfig(
    path: Path | str, n_samples: int = 4, n_particles: int = 160, n_replicas: int = 4, n_times: int = 2, seed: int = 0
) -> Path:
    """Write the file and return its path."""
    rng = np.random.default_rng(seed)
    times = np.logspace(0, n_times - 1, n_times)
    samples = [ensemble(rng, n_particles, n_replicas, times) for _ in range(n_samples)]
    sizes = {
        "sample": n_samples, "time": n_times, "replica": n_replicas, "particle": n_particles,
        "bond": max(len(fields["bond"]) for fields in samples) + 5, "species": 2,
    }  # fmt: skip
    with Writer.open(SerialWorld(), path, ISOCONFIG, sizes, {"config": CONFIG, "seed": seed}) as writer:
        writer.write("time", slice(None), times)
        writer.write("temperature", slice(None), np.full(n_samples, 0.5))
        for i_sample, fields in enumerate(samples):
            _write_sample(writer, i_sample, fields, sizes)
        writer.seal()
    return Path(path)


def _write_sample(writer: Writer, i_sample: int, fields: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
    bond = fields.pop("bond")
    for name, value in fields.items():
        writer.write(name, i_sample, value)
    writer.write("n_bonds", i_sample, len(bond))
    writer.write("bond", (i_sample, slice(len(bond))), bond)
    writer.write("bond", (i_sample, slice(len(bond), None)), np.full((sizes["bond"] - len(bond), 2), -1))
    for name, value in labels({**fields, "bond": bond}).items():
        padding = np.full((sizes["time"], sizes["bond"] - len(bond)), np.nan) if name.startswith("bond") else None
        writer.write(name, i_sample, value if padding is None else np.concatenate([value, padding], axis=1))
    for name in ("propensity_reliability", "bond_change_reliability"):
        writer.write(name, i_sample, np.full(sizes["time"], 0.8))
    for name in ("mean_squared_displacement", "overlap", "self_scattering"):
        writer.write(name, i_sample, np.full((sizes["time"], 2), 0.5))
    for name in ("potential_energy", "kinetic_energy"):
        writer.write(name, i_sample, np.full((sizes["time"], sizes["replica"]), 0.75))
    for name in ("equilibrated", "propagated", "labelled"):
        writer.mark(name, i_sample, COMPLETE)
