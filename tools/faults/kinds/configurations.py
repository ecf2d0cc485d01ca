"""Wrong configurations, made up at random: each is one line and code 2, and leaves nothing behind."""

from __future__ import annotations

import tomllib
from typing import Any

from runkit.config import flatten
from tools.faults.trial import GENERATORS, Bad, Trial, fault

WRONG = [
    "nan",
    "-1",
    "-1e300",
    "1e999",
    '"word"',
    "[]",
    "[[]]",
    "{ a = 1 }",
    "true",
    '"\\u0000"',
    '"' + "x" * 300 + '"',
]
BROKEN = ["[", "a = ", "seed = 1\nseed = 2", "= 3", "\ufeff[system", "[system]\n[system]", "seed = 0x", '"""']


def _numbers(table: dict[str, Any]) -> list[str]:
    """Keys whose value is a number, so that words, tables and truth values are wrong there."""
    return [
        key for key, value in flatten(table).items() if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]


@fault("wrong values", 12, (*GENERATORS, "dtrain"))
def values(trial: Trial) -> None:
    key = trial.random.choice(_numbers(tomllib.loads(trial.target.case)))
    value = trial.random.choice(WRONG)
    trial.note(f"{key} = {value[:30]}")
    _refused(trial, f"{key}={value}")


@fault("keys that there are not", 3, (*GENERATORS, "dtrain"))
def keys(trial: Trial) -> None:
    known = list(flatten(tomllib.loads(trial.target.case)))
    key = trial.random.choice([*(f"{one}x" for one in known), "nothing", "system.system.system", ".", "a..b"])
    trial.note(key)
    _refused(trial, f"{key}=1")


@fault("files that are no configuration", 4, (*GENERATORS, "dtrain"))
def files(trial: Trial) -> None:
    path = trial.folder / "case.toml"
    choice = trial.random.randrange(4)
    if choice == 0:
        path.write_text(trial.random.choice(BROKEN), encoding="utf-8")
    elif choice == 1:
        path.write_bytes(trial.random.randbytes(300))
    elif choice == 2:
        path.write_bytes(path.read_bytes() + b'\nname = "\xff\xfe"\n')
    else:
        path.unlink()
        path.mkdir()
    trial.note(f"case.toml: {['broken TOML', 'noise', 'not UTF-8', 'a folder'][choice]}")
    _refused(trial)


@fault("outputs that cannot be", 4, (*GENERATORS, "dtrain"))
def outputs(trial: Trial) -> None:
    long = "x" * 300
    folders = [long, f"{long}/a", "case.toml", "case.toml/a", "nowhere/" * 600 + "a", "/proc/a"]
    if trial.target.name == "dtrain":
        wrong = [("output", folder) for folder in ["", *folders]]
        wrong += [("name", name) for name in ("", ".", "..", "a/b", long)]
    else:
        wrong = [("output", name) for name in ("", ".", "case.toml", *(f"{folder}/a.h5" for folder in folders))]
        wrong.append(("output", f"{long}.h5"))
    key, value = trial.random.choice(wrong)
    trial.note(f"{key} = {value[:30]!r}")
    _refused(trial, f'{key}="{value}"')


def _refused(trial: Trial, *words: str) -> None:
    before = set(trial.folder.iterdir())
    trial.refused(trial.start(*words))
    if left := {path.name for path in set(trial.folder.iterdir()) - before} - {".out", ".err"}:
        raise Bad("unclear", f"left behind: {left}")
