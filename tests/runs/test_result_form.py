"""Whatever a result file holds, it is a result or it is named; nothing else comes of reading it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import boards
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsebench.core.types import Result
from vsebench.runs.result_form import FORM, parse_result, result_from
from vsebench.runs.store import Store, damaged_files, digests_file, read_result


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    result = boards.run(tmp_path_factory.mktemp("runs"), "good", 0, skill=2.0)
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(result)))
    return plain


def test_every_field_has_a_form() -> None:
    assert list(FORM) == [field.name for field in dataclasses.fields(Result)]


def test_a_result_comes_back_equal(whole: dict[str, Any]) -> None:
    assert json.loads(json.dumps(dataclasses.asdict(parse_result(whole)))) == whole
    assert parse_result({**whole, "of a later version": 1}) == parse_result(whole)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("metrics", None, "'metrics' must be a mapping of numbers, not None"),
        ("metrics", {"val/accuracy": "0.5"}, "'metrics' must be a mapping of numbers"),
        ("status", "done", "'status' must be one of finished, failed, pruned, not 'done'"),
        ("seed", True, "'seed' must be a whole number, not True"),
        ("train_s", float("nan"), "'train_s' must be seconds"),
        ("notes", "a", "'notes' must be a list of texts"),
        ("parameters", {"total": -1}, "'parameters' must be a mapping of counts"),
        ("dataset", {"splits": [1]}, "'dataset.splits' must be a mapping of counts, not a list"),
        ("run_id", "", "'run_id' must be a text"),
    ],
)
def test_another_form_is_named(field: str, value: Any, words: str, whole: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=words):
        parse_result({**whole, field: value})


def test_what_is_missing_is_named(whole: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'config' is missing"):
        parse_result({k: v for k, v in whole.items() if k != "config"})
    with pytest.raises(ValueError, match="a mapping of fields, not a list"):
        parse_result([])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(list(FORM)), JSON, max_size=3))
def test_any_json_is_a_result_or_none(whole: dict[str, Any], changes: dict[str, Any]) -> None:
    result = result_from({**whole, **changes})
    if result is not None:
        assert all(isinstance(value, int | float) for value in result.metrics.values())


def test_every_file_of_a_run_that_changed_is_named(tmp_path: Path) -> None:
    result = boards.run(tmp_path, "good", 0, skill=2.0)
    folder = Store(tmp_path, boards.NAME).run_folder(result.run_id)
    assert damaged_files(folder) == []
    names = {f.name for f in folder.iterdir()}
    assert {"history.jsonl", "predictions-test.npz", "predictions-val.npz", "result.json"} <= names
    for name in sorted(names - {"run.yaml"}):
        whole = (folder / name).read_bytes()
        for content in (b"", whole[:-10], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]):
            (folder / name).write_bytes(content)
            assert damaged_files(folder) == [folder / name]
        if name != "result.json":
            assert damaged_files(folder, contents=False) == []
        (folder / name).write_bytes(whole)
    (folder / "history.jsonl").unlink()
    assert damaged_files(folder) == []


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", "[" * 100_000, '{"metrics": null}'])
def test_a_result_of_another_form_is_none_and_damaged(content: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(content)
    assert read_result(tmp_path) is None
    assert damaged_files(tmp_path) == [tmp_path / "result.json"]


@pytest.mark.parametrize("name", ["../../mine.txt", "/etc/hostname", ".."])
def test_digests_name_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    result = boards.run(tmp_path, "good", 0, skill=2.0)
    folder = Store(tmp_path, boards.NAME).run_folder(result.run_id)
    (tmp_path / "mine.txt").write_text("mine")
    digests_file(folder).write_text(json.dumps({name: [1, "0" * 64]}))
    assert damaged_files(folder) == []
    assert (tmp_path / "mine.txt").read_text() == "mine"
