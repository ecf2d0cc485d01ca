"""Tables of results: columns of all rows, and what may be replaced."""

from __future__ import annotations

import pytest

from dtrain.tables import write_table
from runkit.errors import UserError


def test_rows_with_other_columns_keep_their_values_under_their_names(tmp_path):
    path = tmp_path / "scores.csv"
    write_table(path, [{"run": "a", "x": 1, "y": 2}, {"run": "b", "y": 3, "z": 4}])
    assert path.read_text().splitlines() == ["run,x,y,z", "a,1,2,", "b,,3,4"]


def test_a_table_of_ours_is_replaced_and_another_is_not(tmp_path):
    path = tmp_path / "evaluation.csv"
    for first in ("run", "name", "step", "temperature"):
        path.unlink(missing_ok=True)
        write_table(path, [{first: 1, "score": 2}])
        write_table(path, [{first: 3, "score": 4}])
        assert path.read_text().splitlines() == [f"{first},score", "3,4"]
    path.write_text("mine,score\n1,2\n")
    with pytest.raises(UserError, match="is not a file of this program"):
        write_table(path, [{"run": 1}])
