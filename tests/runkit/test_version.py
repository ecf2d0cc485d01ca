"""The version that files, weights and programs tell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import runkit
from runkit.version import own_version


@pytest.fixture
def working_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mdgen").mkdir()
    (tmp_path / "mdgen/law.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("*.log\n")
    author = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(runkit, "__file__", str(tmp_path / "runkit/__init__.py"))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "is_dirty"),
    [
        ("mdgen/law.py", "x = 1\n", False),
        ("mdgen/law.py", "x = 2\n", True),
        ("mdgen/own_law.py", "x = 1\n", True),
        ("mdgen/run.log", "", False),
        ("notes.txt", "", False),
    ],
)
def test_a_version_is_dirty_if_the_code_is_not_that_of_its_commit(working_copy, file, text, is_dirty):
    (working_copy / file).write_text(text)
    assert own_version().endswith(".dirty") == is_dirty and "+g" in own_version()
