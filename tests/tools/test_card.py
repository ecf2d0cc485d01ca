"""Files are described in the ways of data catalogues: Croissant, RO-Crate, HuggingFace `datasets`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from runkit.dataset.reader import Dataset
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig
from tests.tools.conftest import tool

WORDS = ("license=CC-BY-4.0", 'creator=["Jane Doe"]', 'citation=["10.1063/5.0129791"]')


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("data")
    return [write_isoconfig(folder / "glass.h5"), write_flow(folder / "flow.h5")]


@pytest.fixture(scope="module")
def described(files: list[Path]) -> tuple[dict, dict]:
    """The Croissant description and the RO-Crate."""
    done = tool("card", *files, *WORDS)
    assert done.returncode == 0, done.stderr
    folder = files[0].parent
    return tuple(json.loads((folder / name).read_text()) for name in ("croissant.json", "ro-crate-metadata.json"))


def test_a_description_tells_checksum_licence_citation_code_and_configuration(files, described):
    croissant, crate = described
    assert croissant["license"] == "https://spdx.org/licenses/CC-BY-4.0" and "10.1063/5.0129791" in croissant["citeAs"]
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    for path, told in zip(files, croissant["distribution"], strict=True):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert told["sha256"] == entities[path.name]["sha256"] == digest
        with Dataset(path) as data:
            config, version = data.attributes["config"], data.attributes["code_version"]
        run = entities[f"#run-{path.name}"]
        assert entities[run["object"]["@id"]]["value"] == config and config in told["description"]
        assert entities[run["instrument"]["@id"]]["softwareVersion"] == version


def test_a_description_tells_every_field_with_unit_and_shape(files, described):
    for path, records in zip(files, described[0]["recordSet"], strict=True):
        with Dataset(path) as data:
            told = {field["name"]: field for field in records["field"]}
            assert told.keys() == {field.name for field in data.schema.fields if field.name in data}
            for field in data.schema.fields:
                if field.name in told:
                    assert f"Unit: {field.unit}." in told[field.name]["description"]
                    shape = ",".join(map(str, data[field.name].shape))
                    assert told[field.name].get("arrayShape", "") == shape


def test_whatever_a_crate_names_is_in_it(described):
    _, crate = described
    entities = {entity["@id"] for entity in crate["@graph"]}

    def named(value: object):
        if isinstance(value, dict):
            yield from [value["@id"]] if set(value) == {"@id"} else [id for one in value.values() for id in named(one)]
        elif isinstance(value, list):
            yield from (id for one in value for id in named(one))

    outside = {"https://w3id.org/ro/crate/1.1"}
    assert {id for entity in crate["@graph"] for id in named(entity)} - entities == outside
    assert len(entities) == len(crate["@graph"])


def test_the_validator_of_croissant_takes_it(files, described):
    mlcroissant = pytest.importorskip("mlcroissant")
    found = mlcroissant.Dataset(jsonld=str(files[0].parent / "croissant.json"))
    assert not found.metadata.ctx.issues.errors and not found.metadata.ctx.issues.warnings
    (shape,) = (field.array_shape for field in found.metadata.record_sets[0].fields if field.name == "propensity")
    with Dataset(files[0]) as data:
        assert shape == ",".join(map(str, data["propensity"].shape))


def test_huggingface_datasets_opens_our_files(files, tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    pytest.importorskip("datasets")
    from tools.huggingface import open_file

    for path, name in zip(files, ("position", "t1_fields/velocity"), strict=True):
        rows = open_file(path, [name]).with_format("numpy")
        with Dataset(path) as data:
            assert rows.num_rows == len(data[name])
            value = rows[1]
            for part in name.split("/"):
                value = value[part]
            np.testing.assert_array_equal(value, data[name][1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "license must be given; allowed: text that matches ^[A-Za-z0-9.+-]+$, such as CC-BY-4.0 or CC0-1.0"),
        (("license=CC BY",), "license"),
        (("license=CC0-1.0", "creator=5"), "creator"),
    ],
)
def test_what_a_description_needs_is_told_in_one_line(files, words, told):
    done = tool("card", files[0], *words)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1


def test_a_damaged_file_is_not_described_and_a_foreign_description_is_kept(tmp_path):
    path = write_isoconfig(tmp_path / "glass.h5")
    mine = tmp_path / "croissant.json"
    mine.write_text('{"name": "mine"}')
    done = tool("card", path, *WORDS)
    assert done.returncode == 2 and "not a file of this program" in done.stderr
    assert mine.read_text() == '{"name": "mine"}' and not (tmp_path / "ro-crate-metadata.json").exists()
    mine.unlink()
    content = bytearray(path.read_bytes())
    with Dataset(path) as data:
        offset = data.file["propensity"].id.get_offset()
    content[offset : offset + 4] = b"\xff" * 4
    path.write_bytes(content)
    done = tool("card", path, *WORDS)
    assert done.returncode == 2 and "says more" in done.stderr and not mine.exists()
