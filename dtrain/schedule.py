"""The learning rate of a phase, by step."""

from __future__ import annotations

import math

from dtrain.config import Phase


def learning_rate(phase: Phase, step: int, n_steps: int) -> float:
    """The learning rate of a step: a linear rise over `warmup` steps, then constant or a cosine to zero."""
    rise = min(1.0, (step + 1) / (phase.warmup + 1))
    fall = 0.5 * (1 + math.cos(math.pi * step / n_steps)) if phase.decay == "cosine" else 1.0
    return phase.learning_rate * rise * fall
