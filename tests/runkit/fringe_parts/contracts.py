"""FRINGE: a number for each trial."""

from runkit.dataset.contract import Contract
from runkit.dataset.schema import Field, Schema, contract

FRINGE = Schema(
    "FRINGE",
    1,
    (
        Field("done", ("trial",), "u1", "status", "the trial is over"),
        Field("score", ("trial",), "f8", "1", "what came of it", "done", low=0.0),
    ),
)


@contract(FRINGE.name)
class Fringe(Contract):
    """Scores ascend."""

    schema = FRINGE

    def broken(self, dataset):
        score = dataset["score"][()]
        if (score[1:] < score[:-1]).any():
            yield "score does not ascend"

    def card(self, dataset):
        return [f"best score {dataset['score'][()].max():g}"]
