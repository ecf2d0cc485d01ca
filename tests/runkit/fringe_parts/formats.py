"""Configurations as lines of NAME X Y Z after a line FRINGE EDGE."""

import numpy as np

from mdgen.formats.base import Format, Frame, file_format


@file_format("fringe")
class Fringe(Format):
    """One configuration."""

    suffixes = (".fringe",)

    @staticmethod
    def recognises(head):
        return head.startswith(b"FRINGE ")

    @staticmethod
    def frames(path):
        first, *rows = path.read_text().splitlines()
        names, *places = zip(*map(str.split, rows), strict=True)
        yield lambda: Frame(np.array(places, float).T, names, float(first.split()[1]))
