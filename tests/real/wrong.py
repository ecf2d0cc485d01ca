"""Values that nobody should give, driven through the keys of a configuration: one line, or a plan."""

from __future__ import annotations

import datetime
import io
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from runkit.config import Config
from runkit.constraints import keys
from runkit.errors import UserError

DATE = datetime.date(2020, 1, 1)  # never allowed, whatever the key
NUMBERS = [True, -1, 0, 1, 2, 3, 10**6, 10**12, -(10**20), 0.5, -0.5, 1e-300, 1e300, -1e300]
NOT_FINITE = [float("nan"), float("inf"), -float("inf")]
# Names that no file can have: too long in bytes though not in characters, of nothing but dots, of a byte of no text.
NAMES = ["ñ" * 127, "ñ" * 130, "n" * 252, ".", "..", "/", "a/", "~", "[", "\udcff", "a\nb"]
WORDS = ["", "words", "no-slip", "periodic", "円柱", "ñ" * 300, "[1, 2]", "a\0b", *NAMES]
plain = st.sampled_from([*NUMBERS, *NOT_FINITE, *WORDS, DATE])
anything = st.one_of(
    plain,
    st.lists(plain, max_size=3),
    st.lists(st.lists(plain, max_size=2), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["kind", "family", "", "ü"]), plain, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(["kind", "family"]), plain, max_size=1), max_size=2),
)


# EXAMPLES=10 in the environment: ten times as many, and other ones every time.
MORE = int(os.environ.get("EXAMPLES", "1"))


def examples(number: int) -> settings:
    """So many examples, the same ones every time."""
    return settings(
        max_examples=number * MORE,
        derandomize=MORE == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def tables(key: str, value: Any) -> Mapping[str, Any]:
    """A value of a dotted key as nested tables."""
    inner: Any = value
    for name in reversed(key.split(".")):
        inner = {name: inner}
    assert isinstance(inner, Mapping)
    return inner


def plan_or_refusal(
    read: Callable[[list[Any]], Config], show: Callable[[Any], Any], small: Sequence[Any], key: str, value: Any
) -> str:
    """What is said of a value of a dotted key: the line of a refusal, or nothing if a plan was made."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            show(read([*small, tables(key, value)]))
    except UserError as error:
        return str(error)
    return ""


def own_keys(model: type[Config], section: str) -> list[str]:
    """Dotted keys that lie in a section itself."""
    return [key for key in keys(model) if key.rpartition(".")[0] == section]


def require_named(told: str, model: type[Config], names: Collection[str], given: Any) -> None:
    """A refusal is one line that names the key that was given, or spells out another that could be changed."""
    assert "\n" not in told, (given, told)
    known = [*names, *_words(given), *(each for each in keys(model) if "." in each)]
    assert not told or any(word in told for word in known), (given, told)


def _words(given: Any) -> list[str]:
    """Keys of a table that was given, and what a registry calls a name: both tell where to look."""
    key, value = given
    inner = [repr(name) for name in value] if isinstance(value, Mapping) else []
    *_, section, last = ["", *key.split(".")]
    return [*inner, f"unknown {section} "] if last == "name" else inner
