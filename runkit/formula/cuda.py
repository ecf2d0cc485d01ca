"""A machine for formulas that writes lines of CUDA C: its values are names, and numbers as C writes them."""

from __future__ import annotations

import math

import numpy as np

TYPES = {"float32": ("float", "f"), "float64": ("double", "")}  # in C, and the end of its numbers and functions


class Lines:
    """Lines of a function's body in the arithmetic of `dtype`, one for each operation."""

    def __init__(self, dtype: str) -> None:
        self.type, self._suffix = TYPES[dtype]
        self._rounded = np.dtype(dtype).type
        self.lines: list[str] = []

    def variable(self, expression: str) -> str:
        """A name for what C computes here: an input that is read once, before anything is written."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"const {self.type} {name} = {expression};")
        return name

    def constant(self, number: float) -> str:
        """The number to the last bit; raises ValueError for one that C cannot write."""
        with np.errstate(over="ignore"):
            rounded = float(self._rounded(number))
        if not math.isfinite(rounded):
            raise ValueError(f"{number} is no number of type {self.type}")
        return f"({rounded.hex()}{self._suffix})"

    def negative(self, a: str) -> str:
        return self.variable(f"-{a}")

    def add(self, a: str, b: str) -> str:
        return self.variable(f"{a} + {b}")

    def subtract(self, a: str, b: str) -> str:
        return self.variable(f"{a} - {b}")

    def multiply(self, a: str, b: str) -> str:
        return self.variable(f"{a} * {b}")

    def divide(self, a: str, b: str) -> str:
        return self.variable(f"{a} / {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        return self.variable(f"fma{self._suffix}({a}, {b}, {c})")

    def sqrt(self, a: str) -> str:
        return self.variable(f"sqrt{self._suffix}({a})")

    def copysign(self, a: str, b: str) -> str:
        return self.variable(f"copysign{self._suffix}({a}, {b})")

    def greater(self, a: str, b: str) -> str:
        return self.variable(f"{a} > {b}")


def function(head: str, machine: Lines, *ends: str) -> str:
    """A function in C: `head`, the lines that formulas have written, and what is done with their results."""
    body = "\n    ".join([*machine.lines, *ends])
    return f"{head} {{\n    {body}\n}}\n"
