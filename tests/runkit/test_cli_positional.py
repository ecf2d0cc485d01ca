"""Words of a command line that are not settings."""

from __future__ import annotations

import pytest
from pydantic import Field

from runkit.cli import run_program
from runkit.config import Config
from runkit.usage import help_text


class Options(Config):
    """An example."""

    output: str
    file: tuple[str, ...] = Field(min_length=1)
    density: float = Field(1.2, gt=0)


class Pair(Config):
    """Two words, the second may be missing."""

    first: str
    second: str = "here"


def read(model, arguments, positional):
    seen = []
    run_program("tool", model, seen.append, arguments=arguments, positional=positional)
    return seen[0]


def test_words_give_positional_keys_and_a_list_takes_the_rest():
    options = read(Options, ["out.h5", "a.npz", "density=2", "b.npz"], ("output", "file"))
    assert (options.output, options.file, options.density) == ("out.h5", ("a.npz", "b.npz"), 2.0)


def test_a_positional_key_may_be_left_out_or_named():
    assert read(Pair, ["a"], ("first", "second")).second == "here"
    assert read(Pair, ["a", "second=b"], ("first", "second")).second == "b"


@pytest.mark.parametrize(
    ("model", "arguments", "told"),
    [
        (Pair, ["a", "b", "c"], "'c' is one word too many"),
        (Options, ["a"], "file must be given"),
        (Options, [], "output"),
    ],
)
def test_too_many_or_too_few_words_are_one_line(capsys, model, arguments, told):
    with pytest.raises(SystemExit) as end:
        read(model, arguments, tuple(model.model_fields)[:2])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_usage_names_positional_keys():
    assert "usage: tool OUTPUT FILE ... [section.key=value ...]" in help_text(
        "tool", Options, "", False, ("output", "file")
    )
    assert "usage: tool FIRST [SECOND] [" in help_text("tool", Pair, "", False, ("first", "second"))
