"""Searches: the same configurations after a kill, spread and aim of the samplers, what is pruned and the board."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import vsebench.sweeps.run
from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.core.types import Result
from vsebench.data.open import open_dataset
from vsebench.leaderboard.render import stale
from vsebench.pipeline import Outcome, sweep_to_board
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Run, make_plan, pruned_by
from vsebench.sweeps.worker import Settings

Write = Callable[[Any], Path]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def search(tiny_experiment: Any) -> Any:
    """A search over the tiny experiment."""
    base = tiny_experiment.pop("systems")["both"]
    tiny_experiment["sweep"] = {
        "method": "tpe",
        "budget": 30,
        "base": base,
        "grid": {"fusion": ["concat", "sum", "gated"]},
        "space": {"dropout": {"low": 0.0, "high": 0.5}, "train.optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True}},
    }
    return tiny_experiment


def do(file: Path, folder: Path, *, workers: int = 1, only: tuple[str, ...] = ()) -> Outcome:
    experiment = load_experiment(file)
    dataset = open_dataset(experiment.spec.dataset)
    message = Settings(store_root=folder / "runs", dataset_path=dataset.path, device="cpu")
    board = folder / "board"
    return sweep_to_board(
        experiment, dataset, settings=message, workers=workers, board_folder=board, command="vsebench sweep", only=only
    )


def bowl(run: Run) -> float:
    """Best, 1, at fusion sum, dropout 0.2 and a rate of 0.01."""
    import math

    system = run.system
    assert system.fusion is not None
    away = (system.dropout - 0.2) ** 2 * 4 + (math.log10(system.train.optimizer.options["lr"]) + 2) ** 2 / 9
    return 1 - away - 0.3 * (system.fusion.name != "sum")


class Pretend:
    """Stands in for ``run_all``: writes results without training.

    Args:
        objective: a run's validation number; None fails it, a string is the status of the result.
    """

    def __init__(self, objective: Callable[[Run], float | None] = bowl) -> None:
        self.objective = objective
        self.key = "val/accuracy"
        self.done: list[str] = []
        self.die_after: int | None = None
        self.prune: Callable[[Run], bool] = lambda _: False

    def __call__(self, runs: list[Run], settings: Settings, **_: Any) -> None:
        store = Store(settings.store_root, runs[0].experiment) if runs else None
        for run in runs:
            assert store is not None
            if self.die_after is not None and len(self.done) >= self.die_after:
                raise KeyboardInterrupt
            self.done.append(run.run_id)
            value = self.objective(run)
            parts: dict[str, Any] = {"status": "finished", "metrics": {self.key: value, "test/accuracy": value}}
            if value is None:
                parts = {"status": "failed", "error": "RuntimeError: no"}
            elif run.prune is not None and self.prune(run):
                parts = {"status": "pruned", "metrics": {self.key: value}, "notes": [pruned_by(run.prune)]}
            store.write(
                Result(
                    run_id=run.run_id,
                    experiment=run.experiment,
                    system=run.name,
                    seed=run.seed,
                    config=run.system.model_dump(mode="json"),
                    dataset=open_dataset(run.dataset).describe(),
                    parameters={"total": 2, "trained": 1},
                    epochs=1,
                    finished_at="2026-01-02",
                    **parts,
                )
            )


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    stand_in = Pretend()
    monkeypatch.setattr(vsebench.sweeps.run, "run_all", stand_in)
    return stand_in


def names(outcome: Outcome) -> list[str]:
    return [row.name for row in outcome.plan.experiment.rows]


@pytest.mark.parametrize("method", ["random", "tpe"])
@pytest.mark.parametrize("die_after", [1, 13, 25])
def test_a_killed_search_asks_the_same(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path, method: str, die_after: int
) -> None:
    search["sweep"]["method"] = method
    file = write_experiment(search)
    whole = names(do(file, tmp_path / "whole"))
    assert len(set(whole)) == 30
    pretend.done.clear()
    pretend.die_after = die_after
    with pytest.raises(KeyboardInterrupt):
        do(file, tmp_path / "cut")
    assert (tmp_path / "board").exists() is False
    pretend.die_after = None
    assert names(do(file, tmp_path / "cut")) == whole
    assert len(pretend.done) == 30, "nothing is done twice"


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_truncated_store_is_filled_with_the_same(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path, method: str
) -> None:
    search["sweep"]["method"] = method
    search["seeds"] = [0, 1]
    file = write_experiment(search)
    first = do(file, tmp_path)
    assert len(pretend.done) == 60
    lost = [run.run_id for run in first.plan.runs][7::3]
    for run_id in lost:
        shutil.rmtree(tmp_path / "runs" / "tiny" / run_id)
    pretend.done.clear()
    assert names(do(file, tmp_path)) == names(first)
    assert sorted(pretend.done) == sorted(lost)
    assert do(file, tmp_path).plan.todo == []


def test_tpe_learns_from_results_and_seeds_differ(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path
) -> None:
    requested = names(do(write_experiment(search), tmp_path / "a"))
    pretend.objective = lambda run: -bowl(run)
    other = names(do(write_experiment(search), tmp_path / "b"))
    assert requested[:10] == other[:10], "the first round is drawn before anything is known"
    assert requested[10:] != other[10:]
    search["sweep"]["seed"] = 1
    assert not set(names(do(write_experiment(search), tmp_path / "c"))) & set(requested)


def test_random_covers_the_space(write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path) -> None:
    search["sweep"] |= {"method": "random", "budget": 200}
    search["sweep"]["space"]["dim"] = {"low": 16, "high": 64, "step": 16}
    rows = do(write_experiment(search), tmp_path).plan.experiment.rows
    assert len(rows) == 200
    by_fusion = [sum(r.axes["fusion"] == f for r in rows) for f in ("concat", "sum", "gated")]
    assert min(by_fusion) > 40
    assert {r.system.dim for r in rows} == {16, 32, 48, 64}
    for low in (0.0, 0.1, 0.2, 0.3, 0.4):
        assert sum(low <= r.system.dropout < low + 0.1 for r in rows) > 20
    rates = [r.system.train.optimizer.options["lr"] for r in rows]
    for low in (1e-4, 1e-3, 1e-2):
        assert sum(low <= rate < 10 * low for rate in rates) > 40, "spread over decades, not over the line"


def test_tpe_beats_random(write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path) -> None:
    means = {}
    for method in ("random", "tpe"):
        late = []
        for seed in range(3):
            search["sweep"] |= {"method": method, "budget": 40, "seed": seed}
            outcome = do(write_experiment(search), tmp_path / f"{method}-{seed}")
            late += [bowl(run) for run in outcome.plan.runs[20:]]
        means[method] = sum(late) / len(late)
    assert means["tpe"] > means["random"] + 0.1


def test_the_smallest_is_sought_of_a_metric_that_is_best_when_lowest(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path
) -> None:
    pretend.objective, pretend.key = lambda run: 1 - bowl(run), "val/nll"
    search["select"] = {"metric": "val/nll"}
    runs = do(write_experiment(search), tmp_path).plan.runs
    assert sum(bowl(r) for r in runs[20:]) / 10 > sum(bowl(r) for r in runs[:10]) / 10


def test_what_cannot_work_uses_no_budget(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path
) -> None:
    search["sweep"]["base"]["text_encoder"] = "none"
    search["sweep"]["grid"] = {"attention": ["none", "inter"], "text_encoder": ["none", {"name": "lstm"}]}
    search["sweep"]["exclude"] = [{"attention": "none", "text_encoder": "lstm"}]
    pretend.objective = lambda run: run.system.dropout
    rows = do(write_experiment(search), tmp_path).plan.experiment.rows
    assert len(rows) == 30
    assert {(r.axes["attention"], r.axes["text_encoder"]) for r in rows} == {("none", "none"), ("inter", "lstm")}


def test_each_point_of_a_small_space_is_asked_once(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path
) -> None:
    search["sweep"] |= {"budget": 12, "space": {"dim": {"low": 16, "high": 64, "step": 16}}}
    assert len(set(names(do(write_experiment(search), tmp_path)))) == 12


def test_an_exhausted_search_says_so(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vsebench.config.space.MAX_COUNTED", 0)
    search["sweep"] |= {"method": "random", "budget": 4, "space": {}}
    with pytest.raises(ConfigError, match=r"yaml:\d+: no new valid configuration in 1,000 draws, after 3 of 4\. Give"):
        do(write_experiment(search), tmp_path)
    assert pretend.done == [], "random is drawn before anything runs"


def test_failed_runs_are_tried_again_and_may_change_what_follows(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path
) -> None:
    pretend.objective = lambda run: None if run.system.dropout > 0.4 else bowl(run)
    file = write_experiment(search)
    first = do(file, tmp_path)
    assert first.failed
    tried = len(pretend.done)
    again = do(file, tmp_path)
    assert names(again) == names(first)
    assert sorted(pretend.done[tried:]) == sorted(r.run_id for r in first.failed)


def test_pruned_runs_enter_no_table_and_are_not_repeated(
    write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path
) -> None:
    search["seeds"] = [0, 1]
    search["train"]["epochs"] = 4
    search["sweep"] |= {"prune": {"min_epochs": 1, "reduction": 3}}
    pretend.prune = lambda run: run.seed == 1 and bowl(run) < 0.7
    file = write_experiment(search)
    outcome = do(file, tmp_path)
    stopped = [run for run in outcome.plan.runs if run.seed == 1 and bowl(run) < 0.7]
    assert 0 < len(stopped) < 30
    page = (tmp_path / "board" / "tiny.md").read_text()
    best = max(bowl(run) for run in stopped)
    assert f"{len(stopped)} runs of {len(stopped)} rows were stopped early and appear in no table." in page
    assert f"`val/accuracy` {best:.4g}" in page
    tables = page.split("<b>Pruned</b>")[0]
    cells = {cell.strip() for line in tables.splitlines() if line.startswith("| ") for cell in line.split("|")}
    remaining = [run for run in outcome.plan.runs if run.seed == 1 and run not in stopped]
    assert {dict(run.axes)["train.optimizer.lr"] for run in remaining} <= cells
    assert not {dict(run.axes)["train.optimizer.lr"] for run in stopped} & cells
    assert "pruned" not in (tmp_path / "board" / "tiny.csv").read_text()
    assert len((tmp_path / "board" / "tiny.csv").read_text().splitlines()) == 1 + 2 * (30 - len(stopped))
    assert "Searched by `tpe`, 30 configurations, sampler seed 0, for `val/accuracy` as the mean over seeds" in page
    assert f"pruning by asha, min_epochs 1, reduction 3: {len(stopped)} runs pruned" in page
    assert stale(tmp_path / "board") == []
    count = len(pretend.done)
    assert do(file, tmp_path).plan.todo == []
    assert len(pretend.done) == count
    # Without pruning a pruned run is no result: it is done again, under its own id.
    search["sweep"] |= {"method": "random", "budget": 10, "prune": None}
    pretend.done.clear()
    do(write_experiment(search), tmp_path)
    results = {r.run_id: r.status for r in Store(tmp_path / "runs", "tiny").results()}
    first = [run.run_id for run in stopped if run.name in names(outcome)[:10]]
    assert first
    assert set(first) <= set(pretend.done)
    assert {results[run_id] for run_id in first} == {"finished"}


def test_a_grid_stays_what_it_was(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    base = tiny_experiment["systems"]["both"]
    tiny_experiment["sweep"] = {"base": base, "grid": {"dropout": [0.0, 0.1]}}

    def ids(**changes: Any) -> list[tuple[str, str]]:
        content = {**tiny_experiment, "sweep": {**tiny_experiment["sweep"], **changes}}
        experiment = load_experiment(write_experiment(content))
        dataset = open_dataset(experiment.spec.dataset)
        return [(r.name, r.run_id) for r in make_plan(experiment, dataset.describe(), Store(tmp_path, "x")).runs]

    plain = ids()
    assert [name for name, _ in plain] == ["image only", "both", "0.0", "0.1"]
    assert ids(method="grid") == plain
    assert ids(prune={"name": "asha", "min_epochs": 1, "reduction": 2}) == plain
    sampled = load_experiment(
        write_experiment({**tiny_experiment, "sweep": {"method": "random", "budget": 2, **tiny_experiment["sweep"]}})
    )
    dataset = open_dataset(sampled.spec.dataset)
    from vsebench.sweeps.tuning import Search

    result = Search(sampled, dataset.describe(), Store(tmp_path, "x")).replay()
    assert {r.run_id for r in result.runs} == {run_id for _, run_id in plain}, "a sampled point is the grid's point"


def test_rows_by_name_are_never_pruned(write_experiment: Write, tiny_experiment: Any, tmp_path: Path) -> None:
    base = tiny_experiment["systems"]["both"]
    tiny_experiment["sweep"] = {"base": base, "grid": {"dropout": [0.0, 0.1]}, "prune": {}}
    experiment = load_experiment(write_experiment(tiny_experiment))
    dataset = open_dataset(experiment.spec.dataset)
    runs = make_plan(experiment, dataset.describe(), Store(tmp_path, "x")).runs
    assert runs[1].run_id == runs[2].run_id
    assert [run.prune is not None for run in runs] == [False, False, False, True]


def test_only_runs_what_was_asked(write_experiment: Write, search: Any, pretend: Pretend, tmp_path: Path) -> None:
    file = write_experiment(search)
    do(file, tmp_path, only=("sum*",))
    assert 0 < len(pretend.done) < 10
    assert {r.system.split(" ")[0] for r in Store(tmp_path / "runs", "tiny").results()} == {"sum"}
    with pytest.raises(ConfigError, match="--only 'zzz' matches no row"):
        do(file, tmp_path, only=("zzz",))


def test_a_real_search_with_pruning(
    write_experiment: Write, search: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search["train"]["epochs"] = 4
    # Not among the board's metrics: it is taken from the runs' histories.
    search["select"] = {"metric": "val/nll", "mode": "min"}
    search["sweep"] |= {"budget": 11, "round": 1, "prune": {"min_epochs": 1, "reduction": 2}}
    search["sweep"]["space"]["train.optimizer.lr"] = {"low": 1e-6, "high": 1e-1, "log": True}
    file = write_experiment(search)
    outcome = do(file, tmp_path)
    assert not outcome.failed
    results = {r.run_id: r for r in Store(tmp_path / "runs", "tiny").results()}
    assert len(results) == 11
    stopped = [r for r in results.values() if r.status == "pruned"]
    assert 0 < len(stopped) < 11
    for result in stopped:
        folder = tmp_path / "runs" / "tiny" / result.run_id
        history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        assert len(history) == result.epochs < 4
        assert result.metrics == {"val/nll": min(e["val/nll"] for e in history)}
        assert not list(folder.glob("predictions*"))
    page = (tmp_path / "board" / "tiny.md").read_text()
    assert "## Search" in page
    assert "| Fusion" in page
    assert "train.optimizer.lr" in page
    assert f"{len(stopped)} runs pruned" in page
    # The same search again, cut in the middle: the same configurations, decisions and numbers.
    done = vsebench.sweeps.run.run_all

    def die_in_the_second_round(*arguments: Any, **named: Any) -> None:
        if len(list(Store(tmp_path / "cut" / "runs", "tiny").results())) >= 10:
            raise KeyboardInterrupt
        done(*arguments, **named)

    monkeypatch.setattr(vsebench.sweeps.run, "run_all", die_in_the_second_round)
    with pytest.raises(KeyboardInterrupt):
        do(file, tmp_path / "cut")
    monkeypatch.setattr(vsebench.sweeps.run, "run_all", done)
    assert names(do(file, tmp_path / "cut")) == names(outcome)
    again = {r.run_id: (r.status, r.metrics) for r in Store(tmp_path / "cut" / "runs", "tiny").results()}
    assert again == {key: (r.status, r.metrics) for key, r in results.items()}
