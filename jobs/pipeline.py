"""Pipelines: jobs that wait for one another, from one TOML file. Called by `jobs/submit`, whose words it takes.

    name = "glass"
    [stage.generate]
    job = "generate"
    arguments = ["mdgen", "jobs/cases/kob_andersen_T{T}.toml"]
    array = { T = ["0.44", "0.64"] }          # one job for each value, or combination of values
    [stage.train]                             # waits for the stage before, value by value
    job = "train"
    arguments = ["recipe.toml", "name=T{T}"]
    array = { T = ["0.44", "0.64"] }

What was submitted stands in the record of jobs/submit, and what is done shows in the mark that a job removes when it
has succeeded: what is done, or waits in a queue, is not submitted again. Needs Python 3.11 and nothing else.
"""

from __future__ import annotations

import csv
import itertools
import os
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

KEYS = {"job": str, "arguments": list, "array": dict, "after": list, "restarts": int}
NAME = re.compile(r"[\w.+-]+")


@dataclass
class Job:
    """One job of a stage: its values, its words, the jobs that it waits for, and how it stands."""

    label: str
    values: dict[str, str]
    words: list[str]
    options: list[str]
    before: list[Job] = field(default_factory=list)
    state: str = "to be submitted"
    ident: str = ""
    is_other: bool = False  # in the queue with other arguments: its pipeline was changed, or has a name twice
    script: str = ""

    @property
    def is_waited_for(self) -> bool:
        """Whether others have to wait for it still."""
        return self.state != "done"


def fail(text: str) -> NoReturn:
    print(f"submit: {text}", file=sys.stderr)
    sys.exit(2)


def main(words: list[str]) -> None:
    """Submit a pipeline, or `status` or `cancel` one."""
    *verb, path = words if words[0] in ("status", "cancel") else words[:1]
    if len(words) > 1 + len(verb):
        fail(f"{words[-1]!r} is one word too many after a pipeline")
    jobs = read(Path(path))
    look_up(jobs, recorded(), queued())
    if verb == ["cancel"]:
        cancel(jobs)
    elif not verb:
        submit(jobs)
    if verb != ["cancel"] and not os.environ["DRY_RUN"]:
        for job in jobs:
            print("\t".join((job.label, job.state, job.ident, " ".join(job.words))))


def read(path: Path) -> list[Job]:
    """The jobs of a file in the order of its stages; a mistake is one line."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        fail(f"{path}: {error}")
    name, stages = table.get("name", path.stem), table.get("stage")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        fail(f"{path}: name = {name!r}; allowed: letters, digits and . _ + -")
    if table.keys() - {"name", "stage"} or not isinstance(stages, dict) or not stages:
        fail(f"{path}: keys are {', '.join(table) or 'none'}; allowed: name, and [stage.NAME] once or more")
    found: dict[str, list[Job]] = {}
    for stage, keys in stages.items():
        where = f"{path}: stage.{stage}"
        check(where, keys, found)
        found[stage] = of_stage(where, f"{name}/{stage}", keys)
        after = keys.get("after", list(found)[-2:-1])
        for job in found[stage]:
            job.before = [other for one in after for other in found[one] if goes_with(job, other)]
    return list(itertools.chain(*found.values()))


def check(where: str, keys: Any, found: dict[str, list[Job]]) -> None:
    """Whether a stage has the keys that it needs, and waits for stages above it."""
    if not isinstance(keys, dict) or not NAME.fullmatch(where.rpartition("stage.")[2]):
        fail(f"{where}: a table [stage.NAME] is needed, its name of letters, digits and . _ + -")
    for key, value in keys.items():
        if key not in KEYS or not isinstance(value, KEYS[key]) or isinstance(value, bool):
            allowed = ", ".join(f"{name} ({kind.__name__})" for name, kind in KEYS.items())
            fail(f"{where}.{key} = {value!r}; allowed: {allowed}")
    if "job" not in keys:
        fail(f"{where}.job is missing: a file of jobs/kinds")
    for one in keys.get("after", []):
        if one not in found:
            there = ", ".join(found) or "of which there are none"
            fail(f"{where}.after = {keys['after']!r}; allowed: stages above, {there}")
    for name, values in keys.get("array", {}).items():
        if not isinstance(values, list) or not values or any(isinstance(one, (list, dict, bool)) for one in values):
            fail(f"{where}.array.{name} = {values!r}; allowed: a list of numbers or words")


def of_stage(where: str, label: str, keys: dict[str, Any]) -> list[Job]:
    """One job for each combination of values."""
    array = {name: list(map(str, values)) for name, values in keys.get("array", {}).items()}
    options = ["--restarts", str(keys["restarts"])] if "restarts" in keys else []
    jobs = []
    for chosen in itertools.product(*array.values()):
        values = dict(zip(array, chosen, strict=True))
        words = [keys["job"], *(filled(where, str(word), values) for word in keys.get("arguments", []))]
        which = ",".join(f"{name}={value}" for name, value in values.items())
        jobs.append(Job(f"{label}[{which}]" if which else label, values, words, options))
    same = {tuple(job.words) for job in jobs}
    if len(same) < len(jobs):
        names = ", ".join(f"{{{name}}}" for name in array)
        fail(f"{where}.array: several jobs would do the same; put {names} into the arguments")
    return jobs


def filled(where: str, word: str, values: dict[str, str]) -> str:
    """A word with {NAME} replaced by the value of that name; {index} and the like are none of ours."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            there = ", ".join(values) or "none, without an array"
            fail(f"{where}.arguments: {found[0]} has no values; allowed: {there}")
        return values[found[1]]

    return re.sub(r"\{(\w+)\}", value, word)


def goes_with(job: Job, other: Job) -> bool:
    """Whether two jobs agree in the values that both have."""
    return all(other.values.get(name, value) == value for name, value in job.values.items())


def recorded() -> dict[str, list[list[str]]]:
    """Rows of the record by label: date, number, script, words, numbers waited for, label."""
    rows: dict[str, list[list[str]]] = {}
    path = Path(os.environ["RECORD"])
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                rows.setdefault(row[5] if len(row) > 5 else "", []).append(row)
    return rows


def queued() -> dict[str, str]:
    """The state of each job that was submitted from here and has not ended, by its number."""
    lines = (line.split("\t") for line in os.environ["STATES"].splitlines())
    return {line[0]: line[1] for line in lines if not line[1].startswith("not-ours:")}


def look_up(jobs: list[Job], rows: dict[str, list[list[str]]], states: dict[str, str]) -> None:
    """How each job stands; one whose predecessors are not done is not done either."""
    for job in jobs:
        own = rows.get(job.label, [])
        if not own:
            continue
        _, _, script, words, *_ = own[-1]
        job.script = script
        numbers = [row[1] for row in own if row[2] == script]
        job.ident = numbers[-1]
        waiting = [states[number] for number in numbers if number in states]
        is_same = words == " ".join(job.words)
        if waiting:
            job.state = f"queued ({waiting[-1]})" + ("" if is_same else f" with other arguments ({words})")
            job.is_other = not is_same
        elif is_same and Path(script).exists() and not Path(f"{script}.unfinished").exists():
            if not any(other.is_waited_for for other in job.before):
                job.state = "done"
        else:
            job.state = "ended without success" if is_same else "to be submitted"


def submit(jobs: list[Job]) -> None:
    """Submit what neither is done nor waits, after a check of all of it, so that mistakes show before anything runs."""
    for job in jobs:
        if job.is_other:
            way_out = f"end it first (jobs/submit cancel {job.ident}), or give the pipeline another name"
            fail(f"{job.label}, {job.ident}, is {job.state}: {way_out}")
    todo = [job for job in jobs if job.state in ("to be submitted", "ended without success")]
    for job in jobs:
        waits = ", ".join(other.label for other in job.before if other.is_waited_for) or "nothing"
        title = f"## {job.label}: {job.state}, waits for {waits}"
        later = ["--later"] if any(other.is_waited_for for other in job.before) else []
        if job in todo:
            is_shown = bool(os.environ["DRY_RUN"])
            call_submit(["--dry-run", "--chain", *later, *job.options, *job.words], title, is_shown)
        else:
            tell_older(job)
            if os.environ["DRY_RUN"]:
                print(title)
    if os.environ["DRY_RUN"]:
        return
    first = ""
    for job in todo:
        after = [other.ident for other in job.before if other.is_waited_for]
        chain = ["--after", ",".join(after)] if after else ["--chain", *(["--step-of", first] if first else [])]
        call_submit([*chain, *job.options, "--label", job.label, *job.words], "", is_shown=False, LOOKED_AT="yes")
        job.ident = recorded()[job.label][-1][1]
        job.state, first = "submitted", first or job.ident


def tell_older(job: Job) -> None:
    """Say that a job waits with what the site's file said before it was edited; it is left as it is."""
    path = Path(f"{job.script}.command")
    if not job.state.startswith("queued") or not path.exists():
        return
    before = path.read_text(encoding="utf-8").splitlines()
    now = run_submit(["--dry-run", *job.options, *job.words], LOOKED_AT="yes", PLAIN="yes").splitlines()
    if before != now:
        pairs = itertools.zip_longest(before, now, fillvalue="nothing")
        other = ", ".join(f"{new} in place of {old}" for old, new in pairs if old != new)
        print(
            f"submit: {job.label}, {job.ident}, is {job.state} as the site's file was before; now: {other}; "
            f"jobs/submit cancel {job.ident}, then submit again, if it is to have that",
            file=sys.stderr,
        )


def call_submit(words: list[str], title: str, is_shown: bool, **environment: str) -> None:
    """jobs/submit for one job, with what it says after a title."""
    told = run_submit(words, **environment)
    if is_shown:
        print(f"{title}\n{told}")


def run_submit(words: list[str], **environment: str) -> str:
    """What jobs/submit says; what it refuses ends all."""
    command = ["jobs/submit", "--site", os.environ["SITE_ENV"], *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def cancel(jobs: list[Job]) -> None:
    """End what is in the queue."""
    for job in reversed(jobs):
        if job.state.startswith("queued"):
            call_submit(["cancel", job.ident], f"{job.label}: {job.ident}", is_shown=True)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that leaves ends it without a word
    main(sys.argv[1:])
