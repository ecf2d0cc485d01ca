"""What a step is, and what it is given."""

from __future__ import annotations

import ast
import json
import pkgutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from runkit.errors import UserError
from runkit.registry import suggestion

PACKAGE = "tools.gpu_check.steps"
T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """When a step runs: in which parts ("A", "B", "AB"), after which others (`order`, most valuable first), for how
    many seconds at most, and how many it needs to say anything. `under` is a program that runs it (a profiler), and
    `read` takes figures from what that program says; `beside` is a step that may run at the same time."""

    parts: str
    order: int
    limit: float
    least: float
    under: tuple[str, ...] = ()
    read: Callable[[str], list[dict[str, Any]]] | None = None
    beside: str = ""


@dataclass(frozen=True)
class Table:
    """How records of one kind are shown: in which document, under which title, in which columns (key -> heading)."""

    document: str  # "performance" or "validation"
    title: str
    columns: Mapping[str, str]


@dataclass
class Bench:
    """What a step works with. A `tiny` one runs behind a stand-in for a GPU, in seconds: it shows that steps work."""

    name: str
    data: Path  # what `prepare` has gathered, or any folder of published configurations
    out: Path
    seconds: float = 60.0  # that the step may take
    tiny: bool = False
    records: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def device(self) -> Any:
        """The first GPU of this machine."""
        if self.tiny:
            from tests.shim import StandIn

            return StandIn()
        from runkit.device import Gpu

        return Gpu(0)

    def size(self, full: T, tiny: T) -> T:
        """`full`, but for a tiny bench."""
        return tiny if self.tiny else full

    def configurations(self) -> list[Path]:
        """Files of published configurations, which hold positions of replicas at a later time too."""
        return sorted(self.data.rglob("isoconfig*.npz"))

    def record(self, table: str = "", /, **figures: Any) -> None:
        """Keep figures: a line of the results, on disk at once whatever happens then."""
        line = {"step": self.name, "table": table, **{key: _plain(value) for key, value in figures.items()}}
        self.records.append(line)
        append(self.out, line)

    def attempt(self, case: str, function: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
        """What `function` returns; if it fails, that is recorded and the step goes on, unless it is tiny."""
        try:
            return function(*arguments, **named)
        except Exception as error:
            if self.tiny:
                raise
            traceback.print_exc()
            self.record("failed", case=case, error=f"{type(error).__name__}: {str(error)[:300]}")
            return None


def append(out: Path, line: Mapping[str, Any]) -> None:
    """Add a line to the results in folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "results.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def names() -> dict[str, str]:
    """All steps by name, each with the first line of its docstring; nothing is imported."""
    package = import_module(PACKAGE)
    files = sorted(
        Path(found) / f"{one.name}.py" for found in package.__path__ for one in pkgutil.iter_modules([found])
    )
    return {path.stem: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] for path in files}


def module_of(name: str) -> ModuleType:
    """The step of this name; raises UserError for none."""
    if name not in names():
        raise UserError(f"unknown step {name!r}{suggestion(name, names())}; A, B, or of: {', '.join(names())}")
    return import_module(f"{PACKAGE}.{name}")


def chosen(words: list[str]) -> list[str]:
    """Names of the steps that `words` (A, B or names) ask for, in their order; raises UserError for unknown ones."""
    steps: dict[str, Step] = {}
    for word in words:
        if word in ("A", "B"):
            steps |= {name: step for name in names() if word in (step := module_of(name).STEP).parts}
        else:
            steps[word] = module_of(word).STEP
    return sorted(steps, key=lambda name: steps[name].order)


def _plain(value: Any) -> Any:
    """As JSON has it, numbers to five digits."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    if hasattr(value, "item"):
        return _plain(value.item())
    return float(f"{value:.5g}") if isinstance(value, float) else str(value)
