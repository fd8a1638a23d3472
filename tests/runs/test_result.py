"""Whatever a result file holds, it is a result or it is named; nothing else comes of reading it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_args

import boards
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsebench.config.schema import ENCODER_SLOTS
from vsebench.core.errors import DataError, Place
from vsebench.core.types import Result
from vsebench.runs.find import finished_result
from vsebench.runs.schemas.base import check_form
from vsebench.runs.schemas.result import BoardResult, RunResult, Slotted, parse_result
from vsebench.runs.store import Store, damaged_files, digests_file, read_result


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    result = boards.run(tmp_path_factory.mktemp("runs"), "good", 0, skill=2.0)
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(result)))
    return plain


def read(data: Any) -> Result:
    return parse_result(data, Place("result.json"))


def test_every_field_has_a_form() -> None:
    assert set(RunResult.model_fields) == {field.name for field in dataclasses.fields(Result)}
    assert set(get_args(Slotted)) == set(ENCODER_SLOTS.values())


def test_a_result_comes_back_equal(whole: dict[str, Any]) -> None:
    assert json.loads(json.dumps(dataclasses.asdict(read(whole)))) == whole
    assert read({**whole, "of a later version": 1}) == read(whole)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("metrics", None, "'metrics' must be a valid dictionary, is None"),
        ("metrics", {"val/accuracy": "0.5"}, "'metrics.val/accuracy' must be a valid number, is '0.5'"),
        ("status", "done", "'status' must be 'finished', 'failed' or 'pruned', is 'done'"),
        ("seed", True, "'seed' must be a valid integer, is True"),
        ("train_s", float("nan"), "'train_s' must be a finite number, is nan"),
        ("notes", "a", "'notes' must be a valid list, is 'a'"),
        ("parameters", {"total": -1}, "'parameters.total' must be greater than or equal to 0, is -1"),
        ("dataset", {"splits": [1]}, "it lacks 'dataset.name', 'dataset.title', 'dataset.fingerprint'"),
        ("run_id", "", "'run_id' must be a plain name, but is empty"),
        ("hub", {"text_encoder": {"model": "m", "commit": "../x"}}, "'hub.text_encoder.commit' must match pattern"),
        (
            "hub",
            {"head": {"model": "m", "commit": "0" * 40}},
            "'hub.head.[key]' must be 'image_encoder', 'text_encoder' or 'audio_encoder'",
        ),
    ],
)
def test_another_form_is_named(field: str, value: Any, words: str, whole: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read({**whole, field: value})
    assert f"result.json: not a result as it was written: {words}" in str(error.value)
    (tmp_path / "result.json").write_text(json.dumps({**whole, field: value}))
    with pytest.raises(DataError, match=f"run x is not finished; it has no whole result.json .*{re.escape(words)}"):
        finished_result(tmp_path, "x")


def test_a_board_and_a_run_are_checked_alike(whole: dict[str, Any]) -> None:
    """Its dataset apart, which is the board's."""
    assert RunResult.model_fields.keys() - BoardResult.model_fields.keys() == {"dataset"}
    place = Place("result.json")
    messages = []
    for form in (RunResult, BoardResult):
        with pytest.raises(DataError) as error:
            check_form(form, {**whole, "epochs": -1}, place, noun="a result")
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_what_is_missing_is_named(whole: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="it lacks 'config'"):
        read({k: v for k, v in whole.items() if k != "config"})
    with pytest.raises(DataError, match="it must be a valid dictionary or instance of RunResult, is "):
        read([])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(list(RunResult.model_fields)), JSON, max_size=3))
def test_any_json_is_a_result_or_none(whole: dict[str, Any], changes: dict[str, Any]) -> None:
    try:
        result = read({**whole, **changes})
    except DataError:
        return
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
