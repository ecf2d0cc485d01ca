"""Split by sample into train, validation and test: drawn once from a seed of its own, so that all runs share it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field, model_validator

from runkit.config import Config
from runkit.errors import UserError
from runkit.rng import stream


class TooFew(UserError):
    """A file has too few samples for a split."""


class Split(Config):
    """Three fractions with a sum of at most 1, or three numbers of samples."""

    train: float = Field(0.8, gt=0, description="samples to learn from")
    validation: float = Field(0.1, ge=0, description="samples that choose the best weights")
    test: float = Field(0.1, ge=0, description="samples that only dtrain/evaluate.py uses")
    seed: int = Field(0, ge=0, description="seed of the draw")
    fold: int = Field(0, ge=0, description="for cross-validation: folds 0, 1, … of one seed test on other samples each")

    @model_validator(mode="after")
    def _fractions_or_counts(self) -> Split:
        given = (self.train, self.validation, self.test)
        if sum(given) > 1 + 1e-9 and any(value != int(value) for value in given):
            raise ValueError(
                f"train, validation, test = {given}: three fractions with sum <= 1 or three whole numbers of samples"
            )
        return self

    @property
    def is_fractions(self) -> bool:
        """Whether the parts are fractions."""
        return self.train + self.validation + self.test <= 1 + 1e-9

    def draw(self, samples: Sequence[int]) -> dict[str, list[int]]:
        """Name of the part -> its samples, in the order of the file; TooFew if there are too few."""
        n_test, n_validation, n_train = (
            self._count(part, len(samples)) for part in (self.test, self.validation, self.train)
        )
        if self.is_fractions:
            n_train = min(n_train, len(samples) - n_test - n_validation)
        if n_train < 1 or n_train + n_validation + n_test > len(samples):
            wanted = f"train = {self.train:g}, validation = {self.validation:g}, test = {self.test:g}"
            raise TooFew(f"data.split: {wanted} cannot be had from {len(samples)} samples")
        drawn = stream(self.seed, "split").permutation(len(samples))
        order = np.roll(drawn, -(self.fold * n_test % len(samples)))
        shuffled = [samples[i] for i in order]
        ends = {"test": n_test, "validation": n_test + n_validation, "train": n_test + n_validation + n_train}
        starts = {"test": 0, "validation": n_test, "train": n_test + n_validation}
        return {name: sorted(shuffled[starts[name] : ends[name]]) for name in ("train", "validation", "test")}

    def _count(self, part: float, n_samples: int) -> int:
        if not self.is_fractions:
            return int(part)
        return max(1, round(part * n_samples)) if part > 0 else 0
