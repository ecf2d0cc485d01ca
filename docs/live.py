"""Directives that write reference pages from the code itself, so that these cannot go stale.

    {keys} mdgen.config:RunConfig                 keys of a configuration: default, meaning, allowed range
    {parts} mdgen.potentials:potential       what is in a registry: name, parameters, meaning, source
    {contract} ISOCONFIG                     fields of a file: axes, type, unit, meaning
    {api} mdgen                              all public names of a package, from their docstrings
    {usage} mdgen                            a program's words, exit codes and keys, as `--help` prints them
    {programs} tools                         all programs of a folder, and what they are for
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from runkit.constraints import describe, leaves
from runkit.dataset.schema import contract
from runkit.usage import value_text

Row = Sequence[str]
ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[[~\w.]*Any, \.\.\.\], [~\w.]*dtype\[[~\w.]*?(\w+)(?:\[[~\w.]*Any\])?\]\]"
)


class Live(SphinxDirective):
    """A directive with one argument that writes MyST."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        place = nodes.Element()
        lines = "\n".join(self.lines(self.arguments[0])).splitlines()
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, place)
        return list(place.children)

    def lines(self, argument: str) -> Iterable[str]:
        raise NotImplementedError


class Keys(Live):
    """Keys of a `Config` by section, a definition of each."""

    def lines(self, argument: str) -> Iterable[str]:
        section = ""
        for key, field, default in leaves(found(argument)):
            if key.rpartition(".")[0] != section:
                section = key.rpartition(".")[0]
                yield from (f"**[{section}]**", "")
            standard = "must be given" if field.is_required() else f"= `{value_text(default)}`"
            meaning = f"{field.description}; " if field.description else ""
            yield from (f"`{key}` {standard}", f": {meaning}{describe(field)}", "")


class Parts(Live):
    """Parts of a registry."""

    def lines(self, argument: str) -> Iterable[str]:
        registry = found(argument)
        rows = []
        for name in registry.names():
            part = registry.get(name)
            parameters = ", ".join(f"`{text(each)}`" for each in registry.choices(name).values())
            rows.append((f"`{name}`", parameters or "none", first_sentence(part)))
        head = "name", "parameters", "meaning"
        if all(parameters == "none" for _, parameters, _ in rows):
            head, rows = (head[0], head[2]), [(row[0], row[2]) for row in rows]
        yield from table(head, rows)


class Contract(Live):
    """Fields of a kind of file."""

    def lines(self, argument: str) -> Iterable[str]:
        schema = contract.get(argument).schema
        rows = [
            (f"`{field.name}`", ", ".join(field.dims) or "one number", field.dtype, field.unit, field.doc)
            for field in schema.fields
        ]
        yield f"{schema.name}, version {schema.version}."
        yield ""
        yield from table(("field", "axes", "type", "unit", "meaning"), rows)


class Usage(Live):
    """What `--help` of a module or script prints."""

    def lines(self, argument: str) -> Iterable[str]:
        where = [argument] if argument.endswith(".py") else ["-m", argument]
        narrow = os.environ | {"COLUMNS": "84"}  # as wide as a page
        command = [sys.executable, *where, "--help"]
        done = subprocess.run(command, env=narrow, capture_output=True, text=True, check=True)
        yield from ("```text", *done.stdout.splitlines(), "```")


class Programs(Live):
    """All programs of a folder: how they are called, and the first sentence that they say of themselves."""

    def lines(self, argument: str) -> Iterable[str]:
        rows = []
        for path in sorted((Path(__file__).parents[1] / argument).iterdir()):
            source = path / "__main__.py" if path.is_dir() else path
            if not source.is_file():
                continue
            written = source.read_text(encoding="utf-8")
            if source.suffix == ".py" and "\nif __name__ == " in written:
                text, call = ast.get_docstring(ast.parse(written)) or "", f"python -m {argument}.{path.stem}"
            elif written.startswith("#!"):
                text, call = shell_comment(written), f"{argument}/{path.name}"
            else:
                continue
            rows.append((f"`{call}`", first_paragraph(text)))
        yield from table(("program", "what it is for"), rows)


class Api(Live):
    """All public names of a package, from their docstrings."""

    def lines(self, argument: str) -> Iterable[str]:
        package = import_module(argument)
        yield "```{eval-rst}"
        for name in package.__all__:
            yield f".. auto{'class' if inspect.isclass(getattr(package, name)) else 'function'}:: {argument}.{name}"
        yield "```"


def found(path: str) -> Any:
    """What `module:name` names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def first_sentence(part: Any) -> str:
    """Of a docstring."""
    return first_paragraph(inspect.getdoc(part) or "")


def first_paragraph(text: str) -> str:
    """In one line."""
    return " ".join(text.split("\n\n")[0].split())


def shell_comment(script: str) -> str:
    """What stands below the first line of a script."""
    lines = takewhile(lambda line: line.startswith("#"), script.splitlines()[1:])
    return " ".join(line.removeprefix("#").strip() for line in lines)


def text(parameter: inspect.Parameter) -> str:
    """`name` or `name = default`."""
    if parameter.default is inspect.Parameter.empty:
        return parameter.name
    return f"{parameter.name} = {value_text(parameter.default)}"


def table(head: Row, rows: Sequence[Row]) -> list[str]:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return ["", *("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines), ""]


def bars_are_bars(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """In docstrings |r| is a length, not a substitution of reStructuredText."""
    lines[:] = [line.replace("|", "\\|") for line in lines]


def arrays_are_short(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """An array in a signature is NDArray[float64], not all that stands behind this name; a name has no module."""
    return shortened(signature), shortened(returned)


def shortened(types: str | None) -> str | None:
    """Types as the code names them."""
    if types is None:
        return None
    named = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", ARRAY.sub(r"NDArray[\1]", types))
    return re.sub(r"~?typing\.", "", named)


def formula(is_block: bool) -> Callable[[Any, nodes.Element], None]:
    """A visitor that writes a formula as MathML."""

    def visit(self: Any, node: nodes.Element) -> None:
        written = tex2mathml(node.astext(), as_block=is_block)
        self.body.append(f"<p>{written}</p>" if is_block else written)
        raise nodes.SkipNode

    return visit


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    directives = {"keys": Keys, "parts": Parts, "contract": Contract, "usage": Usage, "programs": Programs, "api": Api}
    for name, directive in directives.items():
        app.add_directive(name, directive)
    app.add_html_math_renderer("mathml", (formula(False), None), (formula(True), None))
    app.connect("autodoc-process-docstring", bars_are_bars)
    app.connect("autodoc-process-signature", arrays_are_short)
    return {"parallel_read_safe": True}
