"""A results file is what a sweep writes, or is refused in one line that names the field; what is read can be shown."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boards
import pytest
from board_texts import page
from hypothesis import given
from hypothesis import strategies as st
from mutations import as_bytes, changed, damaged, fuzzed

from vsebench.cli.verify import verify as verify_command
from vsebench.core.errors import DataError, VsebenchError
from vsebench.leaderboard import index_board, render
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.folder_index import folder_page
from vsebench.leaderboard.renderers.html import page as html_page
from vsebench.results import wandb_board
from vsebench.results.export import table_of
from vsebench.results.merge import Origin, merge
from vsebench.results.original import find_original
from vsebench.results.verify import verify
from vsebench.runs.item_scores import load_for
from vsebench.runs.snapshot import INDEX_FORM, Snapshot, load, load_board, results_file, save

ROOT = Path(__file__).parents[2]
COMMITTED = sorted(file.stem for file in (ROOT / "leaderboard" / "results").glob("*.json"))
#: Small ones that have all that boards have: codes, measurements, indexes, a grid with a pivot.
FUZZED = ("wikipedia", "indexes", "av_digits_hard", "fashion_hashing")


def plain_of(name: str) -> Any:
    return json.loads((ROOT / "leaderboard" / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plain() -> Any:
    return plain_of("av_digits_hard")


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_files_are_what_they_must_be(name: str) -> None:
    assert load_board(ROOT / "leaderboard", name).experiment == name


def test_what_is_written_is_read(tmp_path: Path) -> None:
    board = boards.snapshot([boards.run(tmp_path, "a", 0), boards.run(tmp_path, "b", 1)])
    file = results_file(tmp_path / "board", board.experiment)
    save(board, file)
    assert load(file).results.keys() == board.results.keys()


def _set(*path: Any) -> Callable[[Any, Any], None]:
    def change(plain: Any, value: Any) -> None:
        for key in path[:-1]:
            plain = plain[key]
        plain[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("experiment",), "../x", "'experiment' must be a plain name, but has '/' in it, is '../x'"),
        (("experiment",), "/tmp/x", "'experiment' must be a plain name"),
        (("experiment",), ".hidden", "begins with a dot"),
        (("experiment",), "", "'experiment' must be a plain name, but is empty"),
        (("rows", 0, "runs", "0"), "/somewhere", "'rows[0].runs.0' must be a plain name"),
        (("results", 1, "run_id"), "a/../../b", "'results[1].run_id' must be a plain name"),
        (
            ("results", 1, "metrics", "test/accuracy"),
            "0.9",
            "'results[1].metrics.test/accuracy' must be a",
        ),
        (("results", 1, "metrics"), None, "'results[1].metrics' must be a valid dictionary, is None"),
        (("results", 1, "status"), "done", "'results[1].status' must be 'finished', 'failed' or 'pruned', is 'done'"),
        (("results", 2, "config", "fusion"), "gated", "'results[2].config.fusion'"),
        (("rows", 0, "runs"), {"first": "a"}, "'rows[0].runs.first.[key]' must be a seed"),
        (("rows", 1, "section"), "other", "'rows[1].section' must be 'systems', 'sweep' or 'indexes'"),
        (("dataset", "splits"), {"test": -1}, "'dataset.splits.test' must be greater than or equal to 0, is -1"),
        (("dataset", "num_classes"), None, "it must say the number of classes"),
        (("gallery",), "nowhere", "gallery 'nowhere'"),
        (("board",), {"descripton": "x"}, "it has an unknown field 'board.descripton'"),
        (("more",), 1, "it has an unknown field 'more'"),
        (("search",), {"method": "tpe"}, "'search' must have 'budget', 'seed' and 'asked'"),
        (("format",), 2, "not a results file of format 1"),
    ],
)
def test_a_field_of_another_form_is_named(plain: Any, tmp_path: Path, path: Any, value: Any, text: str) -> None:
    other = copy.deepcopy(plain)
    _set(*path)(other, value)
    file = tmp_path / "x.json"
    file.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(DataError) as error:
        load(file)
    assert text in str(error.value)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)


def test_what_is_missing_is_named_all_at_once(plain: Any, tmp_path: Path) -> None:
    other = {key: value for key, value in plain.items() if key not in ("rows", "seeds")}
    file = tmp_path / "x.json"
    file.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(DataError, match="it lacks 'rows', 'seeds'"):
        load(file)


def test_a_name_twice_is_refused(plain: Any, tmp_path: Path) -> None:
    other = copy.deepcopy(plain)
    other["rows"].append(other["rows"][0])
    file = tmp_path / "x.json"
    file.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(DataError, match="must have each row once"):
        load(file)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": 1}', "[" * 100_000, '{"format": 1, "a": NaN'])
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(DataError):
        load(file)


def test_nothing_is_nested_without_end(plain: Any, tmp_path: Path) -> None:
    inner: Any = {}
    for _ in range(300):
        inner = {"a": inner}
    file = tmp_path / "x.json"
    file.write_text(json.dumps({**plain, "search": inner}))
    with pytest.raises(DataError, match="nested deeper than"):
        load(file)


def test_pages_are_written_to_no_other_board(plain: Any, tmp_path: Path) -> None:
    """A file under another name than its experiment would write another board's pages."""
    file = results_file(tmp_path, "mine")
    file.parent.mkdir()
    file.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(DataError, match="Name the file av_digits_hard.json"):
        render.render(tmp_path, ["mine"])
    assert not (tmp_path / "av_digits_hard.md").exists()


def test_one_damaged_file_stops_no_other_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results").mkdir()
    for name in ("wikipedia", "vqa"):
        text = (ROOT / "leaderboard" / "results" / f"{name}.json").read_text(encoding="utf-8")
        (tmp_path / "results" / f"{name}.json").write_text(text if name == "vqa" else text[:-100], encoding="utf-8")
    (tmp_path / "results" / ".vqa.partial-7.json").write_text("being written")
    render.render(tmp_path, ["vqa"])
    assert (tmp_path / "vqa.md").is_file()
    assert "Not shown, because their results cannot be read: `wikipedia`." in (tmp_path / "README.md").read_text()
    (tmp_path / "vqa.md").unlink()
    for check in (lambda: render.render(tmp_path), lambda: render.stale(tmp_path)):
        with pytest.raises(DataError, match=r"wikipedia\.json: not JSON"):
            check()
    assert (tmp_path / "vqa.md").is_file()
    with pytest.raises(DataError, match=r"wikipedia\.json: not JSON"):
        render.render(tmp_path, ["wikipedia"])
    assert verify_command((), tmp_path / "runs", tmp_path) == 1
    out = capsys.readouterr().out
    assert "wikipedia: cannot be read" in out
    assert "vqa: 18 runs" in out


def test_rows_of_several_grids_share_a_page(tmp_path: Path) -> None:
    board = load_board(ROOT / "leaderboard", "fashion_hashing")
    text = json.loads((ROOT / "leaderboard" / "results" / "fashion_hashing.json").read_text(encoding="utf-8"))
    text["rows"][0]["axes"] = {"code depth": "axis"}
    file = tmp_path / "x.json"
    file.write_text(json.dumps(text))
    assert re.search(r"\| – +\|", page(load(file)))
    assert "code depth" in page(load(file))
    assert "code depth" not in page(board)


def uses(board: Snapshot, file: Path) -> list[Callable[[], Any]]:
    """All that is made of a board's results."""
    folder, nowhere = file.parent.parent, file.parent / "runs"
    if board.form == INDEX_FORM:
        pages: list[Callable[[], Any]] = [lambda: page(board), lambda: index_board.table_csv(board)]
    else:
        item_scores = load_for(load_board(ROOT / "leaderboard", file.stem), ROOT / "leaderboard")
        pages = [lambda: page(board), lambda: page(board, item_scores), lambda: render.table_csv(board)]
    other = Origin("other", load_board(ROOT / "leaderboard", file.stem))
    row = board.rows[0].name if board.rows else "none"
    return [
        *pages,
        lambda: folder_page([board]),
        lambda: html_page(BoardData(board), folder=folder, runs=nowhere),
        lambda: verify(board, file, nowhere),
        lambda: merge([Origin("one", board), other], prefer="first"),
        lambda: table_of([(board, None)]),
        lambda: find_original(f"{file.stem}/{row}", nowhere, folder),
        lambda: (wandb_board.runs_table(board), wandb_board.rows_table(board), wandb_board.measure_tables(board)),
    ]


def refusal(use: Callable[[], Any]) -> str | None:
    """The one line that refuses it; any other exception is a fault of ours."""
    try:
        use()
    except VsebenchError as error:
        return str(error)
    return None


@fuzzed()
@given(data=st.data(), name=st.sampled_from(FUZZED))
def test_changed_files_are_refused_or_shown(data: st.DataObject, name: str, tmp_path_factory: Any) -> None:
    file = results_file(tmp_path_factory.mktemp("board"), name)
    file.parent.mkdir()
    file.write_bytes(as_bytes(data.draw(changed(plain_of(name)))))
    refused = refusal(lambda: load_board(file.parent.parent, name))
    if refused is not None:
        assert refused.startswith(str(file))
        assert len(refused) < 2_000
        return
    for use in uses(load_board(file.parent.parent, name), file):
        refusal(use)


@fuzzed()
@given(data=st.data(), name=st.sampled_from(FUZZED))
def test_damaged_files_are_refused_or_read(data: st.DataObject, name: str, tmp_path_factory: Any) -> None:
    file = results_file(tmp_path_factory.mktemp("board"), name)
    file.parent.mkdir()
    content = (ROOT / "leaderboard" / "results" / f"{name}.json").read_bytes()
    file.write_bytes(data.draw(damaged(content)))
    refused = refusal(lambda: load_board(file.parent.parent, name))
    assert refused is None or refused.startswith(str(file))


def test_a_damaged_file_of_a_run_takes_its_own_row_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = boards.snapshot([boards.run(tmp_path / "runs", "a", 0), boards.run(tmp_path / "runs", "b", 0)])
    for name in ("predictions-test.npz", "history.jsonl", "run.yaml"):
        file = next((tmp_path / "runs" / boards.NAME).glob(f"a0*/{name}"))
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2] + b"{")
        assert name in html_page(BoardData(board), runs=tmp_path / "runs") or name == "run.yaml"
        assert name in capsys.readouterr().err
        file.write_bytes(whole)
