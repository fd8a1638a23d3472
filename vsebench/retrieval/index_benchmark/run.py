"""A comparison of indexes from experiment file to board. Measurements are made one after the other, in this process,
so that they do not slow each other."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vsebench.config.code_files import component_digest
from vsebench.config.index_experiment import IndexExperiment
from vsebench.core.errors import VsebenchError
from vsebench.core.types import Result
from vsebench.leaderboard.render import render
from vsebench.retrieval.index_benchmark.measure import VERSION, exact, measure
from vsebench.retrieval.index_benchmark.plan import Measurement
from vsebench.retrieval.index_benchmark.vectors import VectorSet
from vsebench.runs.provenance import processor_name
from vsebench.runs.snapshot import INDEX_FORM, BoardRow, Snapshot, collect, results_file, save
from vsebench.runs.store import Store
from vsebench.runs.tracking import Tracker

SECTION = "indexes"


@dataclass(frozen=True)
class IndexOutcome:
    """How it ended.

    Args:
        failed: results of the measurements that failed.
        written: files of the board that changed.
    """

    failed: Sequence[Result]
    written: Sequence[Path]


def measure_all(
    experiment: IndexExperiment,
    wanted: Sequence[Measurement],
    board_rows: Sequence[Measurement],
    vectors: VectorSet,
    store: Store,
    *,
    threads: int,
    tracker: Callable[[Measurement], Tracker],
    board_folder: Path,
    command: str,
    say: Callable[[str], None] = lambda _: None,
) -> IndexOutcome:
    """Measure what is not done, and write the board from everything that is.

    What was measured before an interrupt is kept and on the board. A fault becomes a failed result and stops nothing.

    Args:
        experiment: the validated experiment.
        wanted: what is measured unless it is finished.
        board_rows: what the board shows where there are results.
        vectors: gallery and queries.
        store: of the experiment's results.
        threads: of every library.
        tracker: opens the W&B run of a measurement.
        board_folder: the leaderboard folder.
        command: that the board names.
        say: told a line for each.

    Raises: KeyboardInterrupt.
    """
    todo = list({one.run_id: one for one in wanted if one.status != "finished"}.values())
    try:
        if todo:
            with limited(threads):
                _measure(experiment, todo, vectors, store, threads, tracker, say)
    finally:
        snapshot = take_snapshot(experiment, board_rows, vectors.described, store, command)
        written: list[Path] = []
        if snapshot.results:
            save(snapshot, results_file(board_folder, experiment.name))
            written = render(board_folder, [experiment.name])
    ids = {one.run_id for one in wanted}
    return IndexOutcome([r for r in snapshot.results.values() if r.status == "failed" and r.run_id in ids], written)


def _measure(
    experiment: IndexExperiment,
    todo: Sequence[Measurement],
    vectors: VectorSet,
    store: Store,
    threads: int,
    tracker: Callable[[Measurement], Tracker],
    say: Callable[[str], None],
) -> None:
    truth = exact(vectors.gallery, vectors.queries, max(experiment.spec.k))
    for number, one in enumerate(todo, start=1):
        store.forget(one.run_id)
        begin, log = time.perf_counter(), tracker(one)
        parts: dict[str, Any]
        try:
            numbers = measure(
                one.row.spec.name, one.options, vectors.gallery, vectors.queries, truth, experiment.spec.k
            )
            spent = time.perf_counter() - begin
            build_s = numbers["train_s"] + numbers["add_s"]
            parts = {"status": "finished", "metrics": numbers, "train_s": build_s, "other_s": spent - build_s}
        except KeyboardInterrupt:
            log.finish(None)
            raise
        except Exception as error:
            text = str(error) if isinstance(error, VsebenchError) else "".join(traceback.format_exception(error))
            parts = {"status": "failed", "error": text}
        result = _result(experiment, one, vectors.described, threads, parts)
        store.write(result)
        log.finish(result)
        mark = "done" if result.status == "finished" else "FAILED"
        say(f"[{number}/{len(todo)}] {mark} {one.title}: {closing_line(result, experiment.spec.k)}")


def closing_line(result: Result, ks: Sequence[int]) -> str:
    """Format the line that ends a measurement."""
    if result.error is not None:
        return result.error.strip().split("\n")[-1]
    numbers = result.metrics
    shown = [f"recall@{k} {numbers[f'recall@{k}']:.3f}" for k in sorted(ks)]
    k = main_k(ks)
    shown += [f"{numbers[f'qps@{k}']:,.0f} queries/s", f"{numbers['bytes_per_vector']:,.0f} bytes/vector"]
    return " · ".join([*shown, f"built in {result.train_s:.1f} s"])


def main_k(ks: Sequence[int]) -> int:
    """Return the k that boards sort and draw by: 10 where requested, else the largest below, else the smallest."""
    return max((k for k in ks if k <= 10), default=min(ks))


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """So many threads in every library that a search may use."""
    import torch
    from threadpoolctl import threadpool_limits

    if find_spec("faiss") is not None:
        import faiss  # noqa: F401  (only what is loaded is limited)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


def take_snapshot(
    experiment: IndexExperiment,
    measurements: Sequence[Measurement],
    described: Mapping[str, Any],
    store: Store,
    command: str,
) -> Snapshot:
    """Return the board's content: every row with the results that exist."""
    rows: dict[str, dict[str, Any]] = {}
    for one in measurements:
        row = rows.setdefault(
            one.row.name, {"name": one.row.name, "section": SECTION, "axes": dict(one.row.axes), "runs": {}}
        )
        row["runs"][str(one.seed)] = one.run_id
    results = [store.read(one.run_id) for one in measurements]
    spec, title = experiment.spec, str(described["title"])
    return Snapshot(
        experiment=spec.experiment,
        title=f"{spec.title}: {title}" if spec.title else f"{spec.experiment}: {title}",
        dataset=described,
        rows=[BoardRow(**row) for row in rows.values()],
        seeds=list(spec.seeds),
        select={"metric": f"recall@{main_k(spec.k)}", "mode": "max"},
        board=spec.board.model_dump(exclude_none=True),
        command=command,
        results=collect((r for r in results if r is not None), str(described["fingerprint"])),
        form=INDEX_FORM,
    )


def _result(
    experiment: IndexExperiment, one: Measurement, described: Mapping[str, Any], threads: int, parts: Mapping[str, Any]
) -> Result:
    from vsebench.runs.provenance import commit, library_versions

    versions = dict(library_versions())
    for package in ("faiss-cpu", "scikit-learn", "scipy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Result(
        run_id=one.run_id,
        experiment=experiment.name,
        system=one.row.name,
        seed=one.seed,
        config={"index": {"name": one.row.spec.name, "options": dict(one.options)}, "k": sorted(experiment.spec.k)},
        dataset=described,
        metric_versions={"index": VERSION},
        versions=versions,
        hardware={"device": processor_name(), "threads": threads},
        commit=commit(),
        code=component_digest("index", one.row.spec.name, "vsebench.retrieval.index_benchmark.measure"),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        **parts,
    )
