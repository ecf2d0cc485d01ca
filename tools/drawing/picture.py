"""A picture: what was drawn, its name and its caption; and the files that it becomes.

A figure is written as PNG, PDF or SVG, an animation as GIF, a table as Markdown, the caption as text beside it. No file
of such a name is replaced that is not such a picture of ours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.animation import Animation, PillowWriter
from matplotlib.figure import Figure

from runkit.outputs import require_replaceable, starts_with, written_whole

FRAMES_PER_SECOND = 6
MARK = "glassflow tools.figures"  # in every picture, by which ours are recognised
KINDS = ("png", "pdf", "svg")


@dataclass(frozen=True)
class Picture:
    """A figure, an animation or a Markdown table, by the name of its file without suffix; `caption` is plain text."""

    name: str
    drawing: Figure | Animation | str
    caption: str = ""


def save(picture: Picture, folder: Path, kind: str = "png") -> Path:
    """Write a picture, and its caption beside it; the path of the picture. `kind` is that of figures: png, pdf or svg.

    Raises UserError if a file of this name is there that is not such a picture of ours.
    """
    drawing = picture.drawing
    suffix = ".md" if isinstance(drawing, str) else ".gif" if isinstance(drawing, Animation) else f".{kind}"
    path = folder / (picture.name + suffix)
    for target, write in (path, _writer(drawing, kind)), (path.with_suffix(".txt"), _captioned(picture.caption)):
        if target == path or picture.caption:
            require_replaceable(target, OURS[target.suffix])
            with written_whole(target) as beside:
                write(beside)
    plt.close("all")
    return path


def _writer(drawing: Figure | Animation | str, kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        if isinstance(drawing, str):
            path.write_text(drawing, encoding="utf-8")
        elif isinstance(drawing, Animation):
            with plt.rc_context({"savefig.bbox": "standard"}):  # all frames of one size
                drawing.save(path, _Marked(fps=FRAMES_PER_SECOND), dpi=100)
        else:
            # Letters stay letters, and the same picture is the same file.
            with plt.rc_context({"svg.hashsalt": MARK, "svg.fonttype": "none", "pdf.fonttype": 42}):
                drawing.savefig(path, metadata=METADATA[kind])

    return write


def _captioned(caption: str) -> Callable[[Path], None]:
    lines = [MARK, "", *(textwrap.fill(paragraph, 100) for paragraph in caption.split("\n"))]

    def write(path: Path) -> None:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


class _Marked(PillowWriter):
    """Writes the mark into a GIF as its comment."""

    def finish(self) -> None:
        self._frames: list  # of Pillow's images
        self._frames[0].info["comment"] = MARK.encode()
        super().finish()


METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": MARK},
    "pdf": {"Creator": MARK, "CreationDate": None},
    "svg": {"Creator": MARK, "Date": None},
}


def _is_our_pdf(path: Path) -> bool:
    """The mark stands near the end of a PDF."""
    with suppress(OSError):
        content = path.read_bytes()
        return content.startswith(b"%PDF") and MARK.encode() in content
    return False


# Suffix -> whether a file is such a picture of ours.
OURS: dict[str, Callable[[Path], bool]] = {
    ".md": starts_with(r"\|  \| VRMSE, frame"),
    ".gif": starts_with(rf"GIF89a[\s\S]*{MARK}"),
    ".png": starts_with(rf"\x89PNG[\s\S]*Software\x00{MARK}"),
    ".svg": starts_with(rf"<\?xml[\s\S]*{MARK}"),
    ".pdf": _is_our_pdf,
    ".txt": starts_with(MARK),
}
