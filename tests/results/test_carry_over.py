"""Runs of the earlier form of ids: marked on pages, counted by verify, and given their ids of today."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import vsebench as vb
from vsebench.cli.results import carry_over as carry_over_command
from vsebench.config.experiment import load_experiment
from vsebench.leaderboard.render import render, stale
from vsebench.ops.weights import load_weights, save_weights
from vsebench.results.carry_over import Carried, carry_over
from vsebench.results.code_check import code_line
from vsebench.results.original import find_original
from vsebench.results.verify import verify
from vsebench.runs.earlier import CARRIED
from vsebench.runs.load import load_run
from vsebench.runs.snapshot import load, results_file, save
from vsebench.runs.store import MODEL, RESULT, RUN, Store, damaged_files

MARK = "**Earlier run ids:**"


@pytest.fixture
def local(swept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(swept, tmp_path / "own"))


@pytest.fixture
def earlier(local: Path) -> Path:
    """The same runs as an earlier version left them: other ids, no digest of the code, an option that there was not."""
    store = Store(local / "runs", "tiny")
    for result in list(store.results()):
        old = store.run_folder(result.run_id)
        new = Path(shutil.copytree(old, store.run_folder(f"old{result.run_id}"), ignore=lambda *_: [RESULT]))
        save_weights(new / MODEL, load_weights(old / MODEL), owner=new.name)
        plain = yaml.safe_load((old / RUN).read_text())
        del plain["code"], plain["system"]["image_encoder"]["options"]["merge"]
        (new / RUN).write_text(yaml.safe_dump({**plain, "run_id": new.name}))
        store.write(replace(result, run_id=new.name, code="", config=plain["system"]))
        store.remove(result.run_id)
    return local


def carry(folder: Path, **changes: object) -> Carried:
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}, sort_keys=False))
    return carry_over(load_experiment(file), Store(folder / "runs", "tiny"))


def test_runs_of_an_unchanged_configuration_have_their_ids_of_today(swept: Path, earlier: Path) -> None:
    carried = carry(earlier)
    assert not carried.left
    before, after = (list(Store(folder / "runs", "tiny").results()) for folder in (swept, earlier))
    assert {old.removeprefix("old"): new for old, new in carried.ids.items()} == {r.run_id: r.run_id for r in before}
    for a, b in zip(before, after, strict=True):
        (note,) = set(b.notes) - set(a.notes)
        assert note.startswith(f"{CARRIED}old{a.run_id} ")
        assert replace(b, code=a.code, notes=a.notes) == a
        folder = Store(earlier / "runs", "tiny").run_folder(b.run_id)
        assert load_run(folder).run_id == a.run_id
        assert not damaged_files(folder)
    assert carry(earlier) == Carried()  # once


def test_a_sweep_has_nothing_left_to_do(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(earlier / "home"))
    carry_over_command(earlier / "tiny.yaml", earlier / "runs")
    dates = {r.run_id: r.finished_at for r in Store(earlier / "runs", "tiny").results()}
    board = vb.sweep(earlier / "tiny.yaml", runs=earlier / "runs", board=earlier / "board", workers=0, device="cpu")
    assert {r.run_id: r.finished_at for r in board.snapshot.results.values()} == dates
    assert MARK not in board.page.read_text()
    file = results_file(earlier / "board", "tiny")
    assert not verify(load(file), file, earlier / "runs").differences


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train": {"epochs": 2, "batch_size": 16}}, "its configuration differs in train.epochs"),
        ({"metrics": ["accuracy", "nll"]}, "it has other metrics"),
        ({"select": {"metric": "val/nll"}}, "its epoch was chosen by another metric"),
        ({"seeds": [7]}, "the experiment has no row '"),
    ],
)
def test_what_has_changed_stays_and_is_named(changes: dict[str, object], reason: str, earlier: Path) -> None:
    ids = [result.run_id for result in Store(earlier / "runs", "tiny").results()]
    carried = carry(earlier, **changes)
    assert not carried.ids
    assert set(carried.left) == set(ids)
    assert all(reason in why for why in carried.left.values()), carried.left
    assert [result.run_id for result in Store(earlier / "runs", "tiny").results()] == ids


def test_numbers_of_an_older_definition_are_computed_again_first(earlier: Path) -> None:
    store = Store(earlier / "runs", "tiny")
    for result in list(store.results()):
        store.write(replace(result, metric_versions={**result.metric_versions, "nll": 0}))
    assert all(
        "nll: by another version; run 'vsebench results recompute' first" in w for w in carry(earlier).left.values()
    )


def test_a_page_marks_them_and_check_verifies_the_mark(local: Path) -> None:
    file = results_file(local / "board", "tiny")
    assert MARK not in (local / "board" / "tiny.md").read_text()
    snapshot = load(file)
    first, *_ = snapshot.results
    results = {**snapshot.results, first: replace(snapshot.results[first], code="")}
    save(replace(snapshot, results=results), file)
    assert local / "board" / "tiny.md" in stale(local / "board")
    render(local / "board")
    assert f"{MARK} 1 of these runs were made by version " in (local / "board" / "tiny.md").read_text()
    assert not stale(local / "board")


def test_verify_says_which_runs_are_of_other_code(swept: Path) -> None:
    file = results_file(swept / "board", "tiny")
    snapshot = load(file)
    assert verify(snapshot, file, swept / "runs").code == ""
    results = list(snapshot.results.values())
    other = [replace(results[0], code="0" * 16), replace(results[1], code=""), *results[2:]]
    line = code_line(other)
    assert line.startswith("1 run by code that differs from today's")
    assert "; 1 run by code that is not recorded" in line
    assert "\n" not in line
    gone = json.loads(json.dumps(results[0].config)) | {"head": {"name": "gone", "options": {}}}
    assert code_line([replace(results[0], config=gone)]) == "1 run by code with a component that is missing here"


def test_a_run_of_a_board_has_the_edition_of_its_experiment(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (local / "experiments").mkdir()
    shutil.copy(local / "tiny.yaml", local / "experiments")
    monkeypatch.chdir(local)
    original = find_original("tiny/both", local / "nowhere", local / "board")
    assert original.run.dataset == {"name": "mmfrb", "edition": "single", "items": 60, "image_size": 32}
    shutil.rmtree(local / "experiments")
    assert find_original("tiny/both", local / "nowhere", local / "board").run.dataset == "mmfrb"
