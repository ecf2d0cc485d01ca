"""The check of a GPU machine: every step behind the stand-in, the runner's limits, the tables."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mdgen.initial import melt
from runkit.errors import UserError
from tests.conftest import ROOT, clean_environment
from tools.gpu_check import machine, prepare, profiler, pytests, runner, small, step
from tools.gpu_check.__main__ import main
from tools.gpu_check.report import report
from tools.gpu_check.step import Bench, Step, chosen, module_of, names

SILENT = {"counters_md", "counters_flow"}  # the profiler speaks for them, and for these the sanitizer:
QUIET = {"memcheck", "racecheck"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder with an ensemble laid out as published ones are."""
    folder = tmp_path_factory.mktemp("data")
    start = melt(160, (0.8, 0.2), 1.2, 1, 0)
    moved = start.position + np.random.default_rng(1).normal(0, 0.05, (4, 160, 3))
    given = {"types": start.species.astype(np.int8), "initial_positions": start.position, "positions": moved}
    np.savez(folder / "isoconfig_N160T0.44_1_tc07.npz", **given, box=start.box)
    return folder


def distinct() -> list[str]:
    """Steps that do not do what another one does already."""
    first = {module_of(name).run: name for name in reversed(list(names()))}
    return sorted(first.values())


@pytest.mark.parametrize("name", distinct())
def test_every_step_runs_behind_the_stand_in(name, data, tmp_path):
    """Its figures are numbers, kept as they come, and each is shown by a table or said to be kept alone."""
    bench = Bench(name, data, tmp_path, tiny=True)
    module_of(name).run(bench)
    file = tmp_path / "results.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    assert bool(lines) != (name in SILENT)
    assert all(math.isfinite(value) for line in lines for value in line.values() if isinstance(value, float))
    shown = [line for line in lines if line["table"] in module_of(name).TABLES]
    assert shown or name in SILENT | QUIET
    for line in shown:
        assert set(module_of(name).TABLES[line["table"]].columns) & set(line)


@pytest.mark.parametrize("name", names())
def test_every_step_says_when_it_runs_and_how_it_is_shown(name):
    one, tables = module_of(name).STEP, module_of(name).TABLES
    assert names()[name].endswith(".") and len(names()[name]) < 118
    assert set(one.parts) <= {"A", "B"} and one.parts and 0 < one.least <= one.limit
    assert one.beside in {"", *names()}
    assert tables and all(table.document in ("performance", "validation") for table in tables.values())


def test_parts_begin_with_what_is_worth_most_and_steps_can_be_named():
    assert chosen(["A"])[:3] == ["probe", "tests_device", "messages"] and chosen(["B"])[0] == "tau_alpha"
    assert set(chosen(["A", "B"])) == set(names())
    assert chosen(["md_rates", "probe"]) == ["probe", "md_rates"]
    with pytest.raises(UserError, match=r"unknown step 'md_rate'; did you mean 'md_rates'\?; A, B, or of: counters_"):
        chosen(["md_rate"])


STEPS = {
    "good": ("order=1, limit=30, least=0", "bench.record(answer=42)"),
    "crash": ("order=2, limit=30, least=0", "bench.record(answer=1); os.kill(os.getpid(), signal.SIGSEGV)"),
    "hang": ("order=3, limit=1.5, least=0", "bench.record(answer=2); time.sleep(600)"),
    "wrong": ("order=4, limit=30, least=0", "bench.attempt('one', int, 'x'); bench.record(answer=3)"),
    "poor": ("order=5, limit=30, least=500", "bench.record(answer=4)"),
    "under": ("order=6, limit=30, least=0, under=('no-such-profiler',)", "bench.record(answer=5)"),
    "last": ("order=7, limit=30, least=0", "print('SAID 7'); bench.record(answer=6)"),
}
READ = "read = lambda text: [{'answer': int(line[5:])} for line in text.splitlines() if line.startswith('SAID ')]"


@pytest.fixture
def own_steps(tmp_path, monkeypatch):
    """Steps that do what steps should not do, in a package of their own."""
    package = tmp_path / "own_steps"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, (when, what) in STEPS.items():
        lines = [
            f'"""{name}."""',
            "import os, signal, time",
            "from tools.gpu_check.step import Step, Table",
            READ,
            f"STEP = Step('A', {when}, read=read)",
            "TABLES = {'': Table('performance', 'Own', {'answer': 'answer'})}",
            f"def run(bench): {what}",
        ]
        (package / f"{name}.py").write_text("\n".join(lines) + "\n")
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from tools.gpu_check import step; step.PACKAGE = 'own_steps'\n"
        "from tools.gpu_check.__main__ import main; sys.exit(main())\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(step, "PACKAGE", "own_steps")
    monkeypatch.setattr(runner, "PROGRAM", (sys.executable, str(program)))
    monkeypatch.setattr(runner, "ask_driver", lambda *words: "GPU 0")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_steps"]:
        del sys.modules[name]


def test_a_step_that_hangs_or_crashes_costs_its_limit_alone(own_steps, tmp_path, capsys):
    """What it has measured before is kept, the steps after it run, and the code says that not all was well."""
    out = tmp_path / "out"
    assert main(["run", "A", "--seconds", "100", "--out", str(out)]) == 1
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == "run" and lines[0]["command"] and lines[0]["date"] and lines[0]["commit"]
    ends = {line["step"]: line["outcome"] for line in lines if "outcome" in line}
    assert ends == {
        "good": "exit 0",
        "crash": "SIGSEGV",
        "hang": "limit",
        "wrong": "exit 0",
        "poor": ends["poor"],
        "under": "left out: no-such-profiler is not on the PATH",
        "last": "exit 0",
    }
    assert ends["poor"].startswith("left out: needs 500 s, ")
    assert [line["answer"] for line in lines if "answer" in line] == [42, 1, 2, 3, 6, 7]
    (failed,) = [line for line in lines if line.get("table") == "failed"]
    assert failed["case"] == "one" and failed["error"].startswith("ValueError: invalid literal")
    assert "===== hang: limit" in (out / "log.txt").read_text()
    assert "not ended well: crash, hang" in capsys.readouterr().out
    text = report([out / "results.jsonl"])
    assert "| answer |\n| --- |\n| 42 |" in text and "| hang | limit |" in text and "- wrong, one: ValueError" in text


def test_no_further_step_runs_on_a_driver_that_has_gone(own_steps, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "ask_driver", lambda *words: "")
    assert main(["run", "A", "--seconds", "100", "--out", str(tmp_path / "out")]) == 1
    assert "last" not in {json.loads(line)["step"] for line in (tmp_path / "out" / "results.jsonl").open()}


def test_steps_that_may_run_side_by_side_do():
    pairs = list(runner._pairs(["probe", "tests_md", "md_rates", "tests_lbm"]))
    assert pairs == [["probe"], ["tests_md", "tests_lbm"], ["md_rates"]]


def test_results_become_tables_with_card_command_and_date(tmp_path):
    """Of two runs; figures that are not there are dashes, columns that nobody fills are left out."""
    head = {
        "step": "run",
        "card": "NVIDIA X",
        "gpus": ["NVIDIA X, 580.1, 80 GiB"],
        "versions": {"cupy-cuda13x": "14.2.0"},
        "commit": "0.1.0+gabc",
        "date": "2026-11-27",
        "command": "python -m tools.gpu_check run A --seconds 430",
    }
    rates = {"step": "md_rates", "table": ""}
    lines = [
        head,
        {**rates, "case": "132 replicas", "Ma_per_s": 4321.9, "of_issue": 0.61234, "one_block": True},
        {**rates, "case": "512 replicas", "Ma_per_s": 4500.0, "one_block": False},
        {"step": "drift", "table": "", "precision": "float32", "rms": 1.234e-5},
        {"step": "no_more", "table": "", "x": 1},
        {"step": "md_rates", "outcome": "exit 0", "seconds": 80.0},
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"step": "cut o')
    text = report([path])
    performance, validation = text.split("# For docs/validation.md")
    assert "# For docs/performance.md\n\n## Molecular dynamics on a GPU\n\n```bash\n" in performance
    assert "python -m tools.gpu_check run md_rates\n```" in performance
    assert "NVIDIA X, driver 580.1, cupy-cuda13x 14.2.0; code 0.1.0+gabc; 2026-11-27." in performance
    assert "| case | ours, M/s | of what can be issued | one block |" in performance
    assert "| 132 replicas | 4322 | 0.612 | yes |\n| 512 replicas | 4500 | - | no |" in performance
    assert "| float32 | 1.23e-05 |" in validation and "| md_rates | exit 0 | 80 |" in validation
    path.write_text("{}\n")
    with pytest.raises(UserError, match=r"no results of tools\.gpu_check"):
        report([path])


def test_counters_are_means_over_the_launches_of_a_kernel():
    head = '"ID","Kernel Name","Section Name","Metric Name","Metric Unit","Metric Value"'
    rows = [
        '"0","integrate(int, float)","GPU Speed Of Light Throughput","Duration","us","1,000.5"',
        '"1","integrate(int, float)","GPU Speed Of Light Throughput","Duration","ms","3.0"',
        '"1","integrate(int, float)","Launch Statistics","Registers Per Thread","register/thread","58"',
        '"2","push","Memory Workload Analysis","L2 Hit Rate","%","97.25"',
    ]
    text = "\n".join(["==PROF== Connected", head, *rows, "==PROF== Disconnected"])
    assert profiler.read_counters(text) == [
        {"kernel": "integrate", "launches": 2, "us": 2000.2, "registers": 58.0},
        {"kernel": "push", "launches": 1, "l2_hits": 97.25},
    ]
    assert profiler.read_counters("==ERROR== no permission") == []


def test_figures_that_cannot_be_read_are_recorded_and_cost_no_other_step(monkeypatch):
    """As where a profiler has no number for a metric."""
    monkeypatch.setattr(runner, "step_of", lambda name: Step("A", 1, 1, 1, read=profiler.read_counters))
    text = '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n"0","integrate(int)","Duration","ns","n/a"\n'
    (line,) = runner._figures("counters", text)
    assert line["table"] == "failed" and line["error"].startswith("ValueError: could not convert")


def test_what_a_sanitizer_found_is_told():
    text = "========= COMPUTE-SANITIZER\nx\n========= ERROR SUMMARY: 0 errors\n"
    assert small.read_summary(text) == [{"summary": "ERROR SUMMARY: 0 errors"}]
    text = "========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)\n"
    assert small.read_summary(text) == [{"summary": "RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)"}]


def test_failed_tests_are_named_and_end_the_step(tmp_path, monkeypatch):
    case = '<testcase name="{}">{}</testcase>'
    cases = case.format("a", "") + case.format("b", "<failure/>") + case.format("c", "<skipped/>")
    (tmp_path / "report.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    found = pytests.read_report(tmp_path / "report.xml")
    assert found == {"passed": 1, "failed": 1, "skipped": 1, "which": "b"}
    monkeypatch.setattr(pytests, "read_report", lambda path: found)
    monkeypatch.setattr(subprocess, "run", lambda *words, **more: None)
    with pytest.raises(SystemExit, match="1 failed, 1 passed"):
        pytests.run_tests(Bench("tests_md", tmp_path, tmp_path), "tests/gpu/test_mdgen.py", 1)


@pytest.fixture
def pip(monkeypatch):
    """Stands for pip: puts a file of 1 MiB where it was told to for each package, but has no gamdpy."""

    def call(*words: str) -> None:
        folder = Path(words[words.index("-d" if "-d" in words else "-w") + 1])
        for word in words:
            name, is_package, _ = word.partition("==")
            if name == "gamdpy":
                raise UserError("pip download gamdpy: not found")
            if is_package:
                (folder / f"{name}.whl").write_bytes(bytes(prepare.MIB))

    monkeypatch.setattr(prepare, "_pip", call)


def test_a_folder_for_a_machine_without_network_holds_all_that_it_needs(pip, data, tmp_path, capsys):
    """Twice: it is made anew. A peer that cannot be had is left out."""
    folder, (file,) = tmp_path / "carried", data.glob("*.npz")
    for _ in range(2):
        assert main(["prepare", str(folder), "--configurations", str(file)]) == 0
    assert {path.stem for path in (folder / "wheels").iterdir()} >= {"pydantic", "mpich", "deepspeed", "openmm"}
    assert (folder / "data" / file.name).exists() and (folder / "start").stat().st_mode & 0o100
    told = capsys.readouterr().out
    assert "left out: pip download gamdpy: not found" in told and "there: bash carried/start run A" in told


def test_results_name_the_code_also_where_there_is_no_working_copy(tmp_path, monkeypatch):
    (tmp_path / "commit").write_text("0.1.0+g123\n")
    for own, found in (("0.1.0", "0.1.0+g123"), ("unknown", "0.1.0+g123"), ("0.1.0+gabc.dirty", "0.1.0+gabc.dirty")):
        monkeypatch.setattr(machine, "code_version", lambda own=own: own)
        assert machine.describe(["python"], tmp_path, "card")["commit"] == found


def test_a_folder_that_is_too_large_or_not_ours_is_refused(pip, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "LARGEST", 5 * prepare.MIB)
    assert main(["prepare", str(tmp_path / "carried")]) == 2
    assert "MiB, more than 5: give fewer --configurations" in capsys.readouterr().err
    assert main(["prepare", str(data)]) == 2
    assert "is a folder with other things" in capsys.readouterr().err and len(list(data.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run", "C"], "unknown step 'C'"),
        (["run", "A", "--seconds", "0"], "--seconds 0: must be above 0"),
        (["report", "nothing.jsonl"], "nothing.jsonl"),
        (["nothing"], "nothing"),
        ([], "COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(words, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as end:  # of the parser
        code = end.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2 and line.startswith("error: ") and complaint in line
    assert not list(tmp_path.iterdir())


def test_help_is_given_without_importing_what_is_measured():
    command = [sys.executable, "-X", "importtime", "-m", "tools.gpu_check", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=clean_environment(), timeout=100)
    assert done.returncode == 0 and all(title in done.stdout for title in names().values())
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "runkit.cli" in imported and not {"torch", "cupy", "numba", "mdgen", "lbmgen"} & imported
