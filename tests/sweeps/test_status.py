"""What is told of a sweep while it goes on: counts, time left, the best row by validation."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from planned import plan, record, run
from rich.console import Console

from vsebench.cli.progress import ProgressView
from vsebench.runs.store import Store
from vsebench.sweeps.status import Best, Watch
from vsebench.sweeps.worker import Event


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watch(root: Path, clock: Clock, workers: int = 1) -> Watch:
    return Watch(Store(root, "e"), workers, clock)


def test_the_best_row_is_the_mean_over_its_finished_seeds(tmp_path: Path, clock: Clock) -> None:
    runs = [run("a", 0), run("a", 1), run("b", 0, fusion="sum")]
    seen = watch(tmp_path, clock)
    seen.add(plan(*runs), {})
    assert seen.best() is None
    for one, value in zip(runs, (0.9, 0.5, 0.8), strict=True):
        record(tmp_path, one, value=value)
        seen.take(Event("end", 0, one.run_id, status="finished"))
    best = seen.best()
    assert best is not None
    assert (best.row, best.value, best.seeds) == ("b", pytest.approx(0.8), 1)
    assert seen.count("finished") == 3


def test_the_selected_number_may_be_in_the_history_alone(tmp_path: Path, clock: Clock) -> None:
    one = run("a")
    record(tmp_path, one, metrics={"test/accuracy": 0.1}, best_epoch=2)
    history = '{"epoch": 1, "val/accuracy": 0.9}\n{"epoch": 2, "val/accuracy": 0.4}\n'
    (tmp_path / "e" / "a0" / "history.jsonl").write_text(history)
    seen = watch(tmp_path, clock)
    seen.add(plan(run("a", status="finished")), {})
    best = seen.best()
    assert best is not None
    assert best.value == pytest.approx(0.4)


def test_the_line_says_what_is_better() -> None:
    assert Best("a", 0.1674, 1, "val/nll", "min").text == "a, val/nll 0.167 (lower is better)"
    assert Best("a", 0.5, 3, "val/rsum", "max").text == "a, val/rsum 0.500 (3 seeds, higher is better)"


def test_the_time_left_follows_the_records_and_the_pace(tmp_path: Path, clock: Clock) -> None:
    seen = watch(tmp_path, clock, workers=2)
    seen.add(plan(*(run("a", s) for s in range(4))), {f"a{s}": 10.0 for s in range(4)})
    assert seen.seconds_left() == pytest.approx(20.0)
    seen.take(Event("start", 0, "a0"))
    clock.now = 4.0
    assert seen.seconds_left() == pytest.approx(18.0)
    clock.now = 20.0  # twice as long as expected
    seen.take(Event("end", 0, "a0", status="finished"))
    assert seen.seconds_left() == pytest.approx(3 * 20.0 / 2)


def test_without_records_the_runs_of_this_sweep_tell(tmp_path: Path, clock: Clock) -> None:
    seen = watch(tmp_path, clock)
    seen.add(plan(run("a", 0), run("a", 1)), {"a0": None, "a1": None})
    assert seen.seconds_left() is None
    seen.take(Event("start", 0, "a0"))
    clock.now = 6.0
    seen.take(Event("end", 0, "a0", status="finished"))
    assert seen.seconds_left() == pytest.approx(6.0)


def shown(tmp_path: Path, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[ProgressView, io.StringIO]:
    monkeypatch.setenv("TERM", "xterm" if terminal else "dumb")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=160, color_system=None)
    return ProgressView(
        Store(tmp_path, "e"), lambda: 2, lambda plan: {r.run_id: 30.0 for r in plan.todo}, console
    ), file


def test_the_live_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view, file = shown(tmp_path, True, monkeypatch)
    first, second = run("gated [x=1]", 0), run("sum", 0)
    view.plan(plan(first, second, run("third", 0)))
    try:
        assert view.live is not None
        record(tmp_path, first, value=0.75)
        view.event(Event("start", 0, first.run_id))
        view.event(Event("end", 0, first.run_id, "val/accuracy 0.750", "finished"))
        view.event(Event("progress", 1, second.run_id, "epoch 3/10 · val/accuracy 0.5"))
        view.console.print(view.table())
    finally:
        view.close()
    text = file.getvalue()
    assert "1/3 runs" in text
    assert "1 running" in text
    assert "best so far: gated [x=1], val/accuracy 0.750 (higher is better)" in text  # brackets are no markup
    assert "worker 1  sum · seed 0" in text
    assert "epoch 3/10" in text
    assert "left" in text
    assert view.live is None


def test_plain_lines_on_a_dumb_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    view, file = shown(tmp_path, False, monkeypatch)
    first, second = run("a", 0), run("b", 0)
    view.plan(plan(first, second))
    assert view.live is None
    record(tmp_path, first, value=0.75)
    view.event(Event("start", 0, first.run_id))
    view.event(Event("progress", 0, first.run_id, "epoch 1/10"))  # too early for a line
    view.event(Event("end", 0, first.run_id, "val/accuracy 0.750", "finished"))
    view.event(Event("end", 0, second.run_id, "it broke", "failed"))
    view.close()
    out, err = capsys.readouterr()
    assert out == "e: 2 runs, 0 finished, 2 to do. About 30 s.\n"
    lines = err.splitlines()
    assert lines[0].startswith("[1/2] done a · seed 0: val/accuracy 0.750 | about ")
    assert lines[0].endswith("best so far: a, val/accuracy 0.750 (higher is better)")
    assert (
        lines[1]
        == "[2/2] FAILED b · seed 0: it broke | 1 failed · best so far: a, val/accuracy 0.750 (higher is better)"
    )
    assert file.getvalue() == ""
