"""What a network has learnt from: the content of its files, and which samples were in which part of the split.

A file is known by a digest of its content and a sample by a mark, a digest of the configuration or case that it holds;
names and numbers may change. Both are written beside the checkpoints and into `model.safetensors`: a run goes on with
the same data only, and what it has learnt from is never counted as held back, in whatever file it comes again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from dtrain.data import AnyDataSet
from runkit.digest import digest
from runkit.errors import UserError
from runkit.outputs import is_there, state_of

Marks = dict[str, dict[str, str]]  # part of the split -> number of a sample -> its mark
NEW = "new"  # samples that a file has had no part for when the network was trained


@dataclass(frozen=True)
class Origin:
    """By phase: `digests` of the files, `contexts` in which they were made, `parts` of the split.

    `earlier` are marks that the weights from which a run started had learnt from before.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    parts: Mapping[str, Marks] = field(default_factory=dict)
    earlier: Sequence[str] = ()

    @classmethod
    def of(cls, data: Mapping[str, AnyDataSet], earlier: Sequence[str] = ()) -> Origin:
        """That of a run whose phases learn from these data sets; reads all of their files."""
        return cls(
            {phase: _digest(*one.options.sources) for phase, one in data.items()},
            {phase: one.context for phase, one in data.items()},
            {phase: _marks(one) for phase, one in data.items()},
            tuple(earlier),
        )

    @classmethod
    def from_json(cls, text: str, source: Path) -> Origin:
        """From what `json` gives; raises UserError if it is something else."""
        try:
            tables = json.loads(text)
            origin = cls(**tables)
            consistent = all(part.values() for parts in origin.parts.values() for part in parts.values() if part)
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{source}: what the network has learnt from is damaged: {error}") from error
        if not consistent:
            raise UserError(f"{source}: what the network has learnt from is damaged")
        return origin

    def json(self) -> str:
        """All of it as text."""
        return json.dumps(asdict(self))

    @property
    def learnt(self) -> set[str]:
        """Marks of all samples that the weights have seen in training."""
        return set(self.earlier).union(*(parts.get("train", {}).values() for parts in self.parts.values()))

    def require_files(self, files: Mapping[str, Sequence[str]], source: Path) -> None:
        """As `require_same`, of the files of phases alone; one that is gone contradicts nothing."""
        known = {phase: of_phase for phase, of_phase in files.items() if phase in self.digests}
        there = {phase: _digest(*of_phase) for phase, of_phase in known.items() if all(map(is_there, of_phase))}
        self.require_same(replace(self, digests=there), source)

    def require_same(self, now: Origin, source: Path) -> None:
        """Raise UserError if a run that began with these data would go on with others."""
        changed = [phase for phase, found in now.digests.items() if self.digests.get(phase) != found]
        if changed:
            raise UserError(
                f"{source} began with other data: the content of data.file has changed in phase {changed[0]}; bring "
                "the old file back, or choose another name"
            )

    def require_context(self, phase: str, data: AnyDataSet) -> None:
        """Raise UserError if a file was made in another way than the training's, such as with another interval."""
        for name, then in self.contexts.get(phase, {}).items():
            now = data.context.get(name)
            if now != then:
                raise UserError(
                    f"{data.options.file}: {name}: {now:g}, but the network has learnt with {then:g}; a file of the "
                    "same kind as that of the training is needed"
                )

    def parts_of(self, phase: str, data: AnyDataSet) -> tuple[dict[str, list[int]], str]:
        """The parts of a file for a network of this origin, and a note about them ("" if there is nothing to note).

        A file that holds the samples of the training under their numbers has the parts of the training, and perhaps new
        samples. The parts of any other are drawn, and samples that were used before put where they were used; what the
        draw left over is new.
        """
        stored = self.parts.get(phase)
        if not stored:
            return dict(data.parts), ""
        usable, parts = set(data.usable), {name: sorted(map(int, part)) for name, part in stored.items()}
        marks = {int(i): mark for part in stored.values() for i, mark in part.items()}
        if marks.keys() <= usable and all(data.mark(i) == mark for i, mark in marks.items()):
            parts[NEW] = sorted(usable - marks.keys())
            return parts, f"{len(parts[NEW])} samples belong to no part of the training's split" if parts[NEW] else ""
        return self._moved(stored, data)

    def _moved(self, stored: Marks, data: AnyDataSet) -> tuple[dict[str, list[int]], str]:
        learnt, chosen = self.learnt, set(stored.get("validation", {}).values())
        left_over = set(data.usable).difference(*data.parts.values())
        now = dict(data.parts) | ({NEW: sorted(left_over)} if left_over else {})
        parts: dict[str, list[int]] = {name: [] for name in now}
        moved = 0
        for drawn, samples in now.items():
            for i in samples:
                mark = data.mark(i)
                name = "train" if mark in learnt else "validation" if mark in chosen else drawn
                moved += name != drawn
                parts[name].append(i)
        message = f"; {moved} of its samples were used in training and are in that part here" if moved else ""
        return {name: sorted(part) for name, part in parts.items()}, f"not the file of the training{message}"


def _marks(data: AnyDataSet) -> Marks:
    return {part: {str(i): data.mark(i) for i in samples} for part, samples in data.parts.items()}


def _digest(*paths: str) -> str:
    """The digest of some files, each taken once while it does not change: a campaign needs it for every run."""
    return "+".join(map(_digest_of_file, paths))


def _digest_of_file(path: str) -> str:
    about = state_of(Path(path))
    if about is None:
        raise UserError(f"data.file: {path} is there no longer")
    return _digest_of(path, about.st_ino, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest_of(path: str, *_: int) -> str:
    return digest(path)
