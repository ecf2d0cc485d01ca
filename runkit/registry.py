"""Registries: one file, one name. Adding a part is adding one file to a package, ours or somebody else's.

potential: Registry[PairPotential] = Registry("potential", "mdgen.potentials")    # in mdgen/potentials/__init__.py

@potential("kob-andersen")                                  # in mdgen/potentials/kob_andersen.py
def kob_andersen(cutoff: float = 2.5) -> PairPotential: ...

potential.build("kob-andersen", cutoff=2.5)
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, Generic, ParamSpec, TypeVar

from runkit.errors import UserError
from runkit.outside import import_modules, import_parts

Made = TypeVar("Made")
P = ParamSpec("P")


class Registry(Generic[Made]):
    """Names of the parts of one kind; the first look-up imports all of `package`, and what other packages add to it.

    A part is a function or class that, called with its parameters, gives a `Made`: the type of the kind.
    """

    def __init__(self, kind: str, package: str, supplied: Iterable[str] = ()) -> None:
        """`supplied` are the parameters that the program gives a part itself; all others are the user's."""
        self.kind = kind
        self.package = package
        self.supplied = frozenset(supplied)
        self._parts: dict[str, Callable[..., Made]] = {}
        self._complete = False

    def __call__(self, name: str) -> Callable[[Callable[P, Made]], Callable[P, Made]]:
        """Decorator that registers a function or class; a name that is taken raises ValueError."""

        def register(part: Callable[P, Made]) -> Callable[P, Made]:
            holder = self._parts.get(name)
            if holder is not None:
                raise ValueError(f"two parts are named {self.kind} {name!r}: {_place(holder)} and {_place(part)}")
            self._parts[name] = part
            return part

        return register

    def names(self) -> tuple[str, ...]:
        """All registered names, sorted."""
        self._import_modules()
        return tuple(sorted(self._parts))

    def get(self, name: str) -> Callable[..., Made]:
        """The part of this name; an unknown name raises UserError with the nearest and all known ones."""
        self._import_modules()
        if not isinstance(name, str) or name not in self._parts:
            known = ", ".join(self.names())
            raise UserError(f"unknown {self.kind} {name!r}{suggestion(str(name), self.names())}; known: {known}")
        return self._parts[name]

    def parameters(self, name: str) -> Mapping[str, inspect.Parameter]:
        """Keyword parameters of a part, by name."""
        return inspect.signature(self.get(name)).parameters

    def choices(self, name: str) -> dict[str, inspect.Parameter]:
        """Those parameters of a part that a user gives."""
        return {key: one for key, one in self.parameters(name).items() if key not in self.supplied}

    def unknown(self, name: str, given: Iterable[str]) -> list[str]:
        """Those of the `given` keywords that a part does not take."""
        known = self.parameters(name)
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
        return [] if takes_any else [key for key in given if key not in known]

    def check(self, name: str, given: Mapping[str, Any]) -> None:
        """Raise UserError if the part is unknown or `given` holds unknown, or lacks necessary, parameters."""
        known, unknown = self.parameters(name), self.unknown(name, given)
        if unknown:
            choices = self.choices(name)
            allowed, perhaps = ", ".join(choices) or "none", suggestion(unknown[0], choices)
            raise UserError(f"{self.kind} {name!r} has no parameter {unknown[0]!r}{perhaps}; allowed: {allowed}")
        missing = [key for key, parameter in known.items() if _is_necessary(parameter) and key not in given]
        if missing:
            raise UserError(f"{self.kind} {name!r} needs parameter {missing[0]!r}; given: {', '.join(given) or 'none'}")

    def build(self, name: str, /, **parameters: Any) -> Made:
        """Call the part with checked parameters; a wrong type or value in them is a UserError too."""
        self.check(name, parameters)
        known = self.parameters(name)
        for key, value in parameters.items():
            kind, needed = _KINDS.get(known[key].annotation if key in known else "", (object, ""))
            if not isinstance(value, kind) or (kind in (Real, Integral) and isinstance(value, bool)):
                raise UserError(f"{self.kind} {name!r}: {key} = {value!r} is not allowed; allowed: {needed}")
        try:
            return self.get(name)(**parameters)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise UserError(f"{self.kind} {name!r}: {error} (parameters: {parameters})") from error

    def _import_modules(self) -> None:
        if self._complete:
            return
        before = dict(self._parts)
        try:
            import_modules(self.package)
            import_parts(self.package)
        except UserError:
            self._parts = before  # the failure is reported again at the next look-up
            raise
        self._complete = True


class ClassRegistry(Registry[Made]):
    """A registry of classes, whose class variables are needed before an object is made."""

    def get(self, name: str) -> type[Made]:
        part = super().get(name)
        assert isinstance(part, type), f"{self.kind} {name!r} is no class: {_place(part)}"
        return part


# What the values of a parameter with a plain annotation must be; modules have their annotations as text.
_KINDS: Mapping[Any, tuple[type, str]] = {
    "float": (Real, "a number"),
    "int": (Integral, "a whole number"),
    "str": (str, "a text"),
    "bool": (bool, "true or false"),
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the known word that is most alike, or "" if none is."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""


def _is_necessary(parameter: inspect.Parameter) -> bool:
    variadic = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variadic


def _place(part: Callable[..., object]) -> str:
    return f"{part.__module__}.{part.__qualname__}"
