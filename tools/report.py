"""Measured figures beside their limits, as the validation tools print them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """Measured figures, printed as they come."""

    missed: list[str] = field(default_factory=list)

    def row(self, what: str, measured: float, limit: float | None = None) -> None:
        """Print a figure; one above its `limit` is remembered."""
        bound = "" if limit is None else f"   limit {limit:.3g}"
        print(f"{what:<58} {measured:.6g}{bound}", flush=True)
        if limit is not None and not measured <= limit:
            self.missed.append(what)

    def verdict(self) -> int:
        """Say which limits were missed; 1 if any was, else 0."""
        print("missed: " + ", ".join(self.missed) if self.missed else "all within limits")
        return int(bool(self.missed))
