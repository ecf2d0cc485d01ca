"""Recipes: every key of a training run, its default and allowed range.

Which keys `[data]` and `[loss]` hold depends on the data set (`data.name`), so the class of a recipe is made for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, create_model, model_validator

from dtrain.data import Options
from dtrain.data import data as data_sets
from dtrain.models import model as networks
from dtrain.precision import Fp32Precision
from runkit.config import Config, GraceSeconds, Minutes, load
from runkit.errors import UserError
from runkit.imports import GRACE_SECONDS
from runkit.outputs import is_there

PACKAGE = Path(__file__).parent
DEFAULT_RECIPE = PACKAGE / "recipes" / "botan.toml"


class Network(Config):
    """Which network is trained."""

    name: str = Field("botan", description="name of a registered network")
    parameters: dict[str, Any] = Field({}, description="its parameters, as its class names them")
    start: dict[str, str] = Field(
        {}, description="part of the network -> run or file of weights, of a network as this part is one, to start from"
    )
    frozen: tuple[str, ...] = Field((), description="parts of the network whose weights stay as they are")

    @model_validator(mode="after")
    def _parameters_are_known(self) -> Network:
        networks.check(self.name, self.parameters)
        return self


class Phase(Config):
    """One stretch of training; the phases of a recipe follow each other with the same weights."""

    epochs: float = Field(gt=0, description="passes over the training samples")
    learning_rate: float = Field(gt=0, le=1e30, description="step size of the optimiser at its largest")
    decay: Literal["none", "cosine"] = Field(
        "none", description="how the learning rate falls over the phase; cosine: to zero"
    )
    warmup: int = Field(0, ge=0, description="first steps, over which the learning rate rises from zero")
    patience: int = Field(0, ge=0, description="validations without a better score that end the phase; 0: never")
    data: dict[str, Any] = Field({}, description="keys of [data] that differ in this phase")
    loss: dict[str, Any] = Field({}, description="keys of [loss] that differ in this phase")


class Campaign(Config):
    """Many runs of one recipe, side by side and one after another."""

    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        {}, description="dotted key -> its values; every combination is a run"
    )
    ranks_per_run: int = Field(1, ge=1, description="processes that train one run together")


class Recipe(Config):
    """Trains a network on a generator's file.

    A run is a folder, OUTPUT/NAME, with the recipe, the training curve, the last checkpoint and the best weights. The
    same command goes on with what is there.
    """

    name: str = Field("botan", pattern=r"^[\w.+-]*[\w+-][\w.+-]*$", description="name of the run")
    output: str = Field("runs", min_length=1, description="folder of runs")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of weights, order of samples and augmentation")
    batch: int = Field(1, ge=1, le=2**20, description="samples per step of the optimiser, over all processes")
    micro: int = Field(
        1,
        ge=0,
        le=2**20,
        description="samples that a process computes at once, unless DeepSpeed's JSON sets it; 0: all it has",
    )
    initial: str = Field("", description="file of weights to start from (model.safetensors or a published .pth)")
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay per step of the average of the weights over steps, which is validated, kept and used to "
        "predict (such as 0.999); 0: the weights themselves",
    )
    log_every: int = Field(10, ge=1, description="steps per row of the training curve")
    validate_every: float = Field(1, gt=0, description="epochs between validations, each with a checkpoint")
    minutes: Minutes = 0
    grace_seconds: GraceSeconds = GRACE_SECONDS
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="where the network is computed")
    threads: int = Field(0, ge=0, le=4096, description="threads of a process; 0: its share of the node's cores")
    fp32_precision: Fp32Precision = Field(
        "ieee", description="float32 products on a GPU; tf32: faster, with 10 bits after the point in each factor"
    )
    compile: bool = Field(False, description="torch.compile: minutes at first, then steps take about 0.85 of the time")
    deepspeed: str = Field("", description="DeepSpeed's JSON configuration; none: the one beside the recipes")
    optimizer: Literal["", "muon"] = Field(
        "", description="muon: updates of matrices and filters are made orthogonal; none: what DeepSpeed's JSON names"
    )
    model: Network = Network()
    data: Options
    loss: Config
    phase: dict[str, Phase] = Field(
        min_length=1,
        description="stretches of training by name, in order",
    )
    campaign: Campaign = Campaign()

    @model_validator(mode="after")
    def _phases_are_valid(self) -> Recipe:
        for name in self.phase:
            for section, resolve in (("data", self.data_in), ("loss", self.loss_in)):
                try:
                    resolve(name)
                except ValidationError as error:
                    first = error.errors()[0]
                    key = ".".join(["phase", name, section, *(str(part) for part in first["loc"])])
                    raise ValueError(f"{key} = {first['input']!r}: {first['msg']}") from None
        return self

    def data_in(self, phase: str) -> Options:
        """The keys of [data] in a phase."""
        return type(self.data).model_validate(self.data.model_dump() | self.phase[phase].data)

    def loss_in(self, phase: str) -> Config:
        """The keys of [loss] in a phase."""
        return type(self.loss).model_validate(self.loss.model_dump() | self.phase[phase].loss)

    def runs(self) -> list[Recipe]:
        """The recipe of every run of the campaign; each has a folder in that of the campaign."""
        keys, values = list(self.campaign.grid), list(self.campaign.grid.values())
        return [self._variant(dict(zip(keys, chosen, strict=True))) for chosen in product(*values)]

    def _variant(self, changes: Mapping[str, Any]) -> Recipe:
        tree = self.model_dump(mode="json") | {
            "campaign": {},
            "output": str(Path(self.output) / self.name),
            "name": "_".join(f"{key.rpartition('.')[2]}{value}" for key, value in changes.items()),
        }
        for key, value in changes.items():
            *above, last = key.split(".")
            table: Any = tree
            for name in above:
                table = table.get(name) if isinstance(table, dict) else None
            if not isinstance(table, dict) or last not in table:
                raise UserError(f"campaign.grid: unknown key {key!r}")
            table[last] = value
        return load(type(self), None, defaults=tree)


class _Chosen(Config):
    """The key that decides which others there are."""

    model_config = ConfigDict(extra="ignore")

    class Name(Config):
        model_config = ConfigDict(extra="ignore")
        name: str = "glass"

    data: Name = Name()


@cache
def recipe_class(data_name: str = "glass") -> type[Recipe]:
    """The class of recipes for a registered data set."""
    part = data_sets.get(data_name)
    return create_model(
        "Recipe",
        __base__=Recipe,
        __doc__=Recipe.__doc__,
        data=(part.Options, part.Options.model_validate({})),
        loss=(part.Loss, part.Loss()),
    )


def load_recipe(
    path: Path | str | None, overrides: Sequence[str] = (), defaults: Mapping[str, Any] | None = None
) -> Recipe:
    """A recipe from tables, a TOML file and `key=value` overrides; raises UserError."""
    chosen = load(_Chosen, path, overrides, defaults)
    return load(recipe_class(chosen.data.name), path, overrides, defaults)


def command_line(words: Sequence[str]) -> tuple[type[Recipe], list[str]]:
    """The class of the recipe that a command line names, and the line with the recipe's path spelled out.

    Without a recipe it is the default one; `recipes/NAME.toml` is also found in this package.
    """
    line = [
        str(PACKAGE / word) if "=" not in word and not is_there(word) and is_there(PACKAGE / word) else word
        for word in words
    ]
    files = [word for word in line if "=" not in word and word.endswith(".toml")]
    if not files:
        files = [str(DEFAULT_RECIPE)]
        line += files
    try:
        chosen = load(_Chosen, files[0], [word for word in line if "=" in word and not word.startswith("-")])
        return recipe_class(chosen.data.name), line
    except UserError:
        return recipe_class(), line  # the mistake is reported where the whole line is read
