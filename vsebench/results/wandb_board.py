"""The board in W&B: tables, plots, pages and what the best row finds, in runs of the experiment's group."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vsebench.core.terminal import say
from vsebench.leaderboard.figure import FOLDER
from vsebench.leaderboard.pages import board_page
from vsebench.leaderboard.render import board_of
from vsebench.leaderboard.sections.curves import points
from vsebench.leaderboard.table import printable
from vsebench.runs.snapshot import RESULTS, Snapshot, head_of, load_board
from vsebench.runs.store import Store
from vsebench.runs.tracking import BOARD_KEY, WandbTracker, wandb_id
from vsebench.stats.rows import SECTIONS, RowView, sort_key, views
from vsebench.sweeps.worker import Settings

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.inspect.examples import Classified, Examples, Query, Thing

#: Of each kind and direction, and results of each query.
QUERIES, FOUND = 6, 5
#: Longer side of a picture, in pixels.
SIDE = 160
_SLOTS = ("image_encoder", "text_encoder", "audio_encoder", "attention", "pooling", "fusion", "head", "fitter")
Table = tuple[list[str], list[list[Any]]]


def log_board(experiment: str, settings: Settings, board: Path) -> str:
    """Send an experiment's board, what was measured of its runs, and what its best row finds.

    Everything is in the W&B runs' own folders, so that ``wandb sync`` of an offline sweep needs nothing else.

    Returns: where W&B shows the experiment, or how it gets there; empty where W&B was lost.
    """
    snapshot = load_board(board, experiment)
    board_run = _tracker(snapshot, settings, "leaderboard", "leaderboard")
    board_run.log_table("leaderboard", *runs_table(snapshot))
    board_run.log_table("rows", *rows_table(snapshot))
    page = board / f"{experiment}.html"
    if page.is_file():
        board_run.log_html("board", page.read_text(encoding="utf-8"))
    _log_plots(board_run, snapshot, board)
    _log_gallery(board_run, snapshot, settings)
    best = best_row(snapshot)
    finished = sum(result.status == "finished" for result in snapshot.results.values())
    summary: dict[str, Any] = {"rows": len(snapshot.rows), "finished": finished}
    board_run.close(summary if best is None else {**summary, "best_row": best.row.name, **_means(best)})
    if snapshot.measures:
        measured_run = _tracker(snapshot, settings, "measures", "measure")
        for name, table in measure_tables(snapshot).items():
            measured_run.log_table(f"measures/{name}", *table)
        measured_run.close({})
    return board_run.place()


def runs_table(snapshot: Snapshot) -> Table:
    """Every finished run of the tables: its components, cost and metrics, numbers as numbers."""
    everything = [view for section in SECTIONS for view in views(snapshot, section)]
    keys = sorted({key for view in everything for result in view.results for key in result.metrics})
    axes = list(dict.fromkeys(axis for view in everything for axis in view.row.axes))
    columns = ["system", "section", *(f"axis/{axis}" for axis in axes), *_SLOTS, "seed", "run_id"]
    columns += ["parameters_total", "parameters_trained", "train_s", "epochs", "best_epoch", *keys]
    rows: list[list[Any]] = []
    for view in everything:
        named = [view.row.name, view.row.section, *(view.row.axes.get(axis) for axis in axes)]
        slots = [view.component(slot) for slot in _SLOTS]
        for r in view.results:
            counts = [r.parameters.get("total"), r.parameters.get("trained"), float(r.train_s), r.epochs, r.best_epoch]
            metrics = [_number(r.metrics.get(key)) for key in keys]
            rows.append([*named, *slots, r.seed, r.run_id, *counts, *metrics])
    return columns, rows


def rows_table(snapshot: Snapshot) -> Table:
    """Every row of the tables, best on validation first: means over seeds and half-widths of their 95 % intervals."""
    everything = [view for section in SECTIONS for view in views(snapshot, section)]
    keys = sorted({key for view in everything for key in view.results[0].metrics if key.startswith(("test/", "val/"))})
    columns = ["system", "section", "seeds", *(name for key in keys for name in (key, f"{key} ±"))]
    rows: list[list[Any]] = []
    for view in everything:
        results = [view.estimate(key) for key in keys]
        numbers = [n for e in results for n in ((None, None) if e is None else (_number(e.mean), _number(e.half)))]
        rows.append([view.row.name, view.row.section, len(view.results), *numbers])
    return columns, rows


def measure_tables(snapshot: Snapshot) -> dict[str, Table]:
    """Measure -> its numbers, a line each: where they stand in what was measured is a path."""
    names = {run_id: (row.name, int(seed)) for row in snapshot.rows for seed, run_id in row.runs.items()}
    tables: dict[str, Table] = {}
    for run_id, parts in snapshot.measures.items():
        for name, values in parts.items():
            if run_id in names:
                lines = tables.setdefault(name, (["system", "seed", "run_id", "number", "value"], []))[1]
                lines += [[*names[run_id], run_id, path, value] for path, value in _leaves(values)]
    return tables


def best_row(snapshot: Snapshot) -> RowView | None:
    """Return the row with the best validation number over all sections."""
    key, mode = sort_key(snapshot)
    known = [(estimate.mean, view) for section in SECTIONS for view in views(snapshot, section)
             if (estimate := view.estimate(key)) is not None]  # fmt: skip
    pick = max if mode == "max" else min
    return pick(known, key=lambda one: one[0])[1] if known else None


def gallery_tables(gallery: Examples) -> dict[str, Table]:
    """``i2t``, ``t2i`` and ``classes`` -> their queries or items; pictures are named by the ids of their items."""
    tables: dict[str, Table] = {}
    for direction, kinds in gallery.queries.items():
        columns = ["kind", "id", "query", "first right at rank"]
        columns += [f"{what} {number}" for number in range(1, FOUND + 1) for what in ("found", "right")]
        lines = [_query(kind, one, direction) for kind, some in kinds.items() for one in some]
        tables[direction] = columns, lines
    if gallery.items:
        columns = ["kind", "id", "text", "is", "predicted", "right"]
        tables["classes"] = columns, [_item(k, one) for k, some in gallery.items.items() for one in some]
    return tables


def gallery_pictures(gallery: Examples, dataset: Dataset) -> dict[str, list[tuple[bytes, str]]]:
    """Return the encoded pictures of the same, each with what is said of it; what has no picture is left out."""
    shown: dict[str, list[tuple[Thing, str]]] = {}
    for direction, kinds in gallery.queries.items():
        queries = [(kind, one) for kind, some in kinds.items() for one in some]
        shown[direction] = [
            (one.thing if direction == "i2t" else one.results[0].thing, _said_of_query(kind, one, direction))
            for kind, one in queries
            if one.results
        ]
    for kind, items in gallery.items.items():
        shown.setdefault("classes", []).extend((item.thing, " · ".join(map(str, _item(kind, item)))) for item in items)
    return {
        name: [(data, text) for thing, text in some if (data := _picture(dataset, thing.position)) is not None]
        for name, some in shown.items()
    }


def _said_of_query(kind: str, one: Query, direction: str) -> str:
    query = one.thing.id if direction == "i2t" else one.thing.text
    return f"{kind} · {query} · first right at rank {one.rank:g}"


def _tracker(
    snapshot: Snapshot, settings: Settings, name: str, job_type: Literal["leaderboard", "measure"]
) -> WandbTracker:
    data = snapshot.dataset
    return WandbTracker(
        settings.wandb,
        folder=settings.store_root / snapshot.experiment,
        group=snapshot.experiment,
        name=name,
        run_id=wandb_id(snapshot.experiment, name),
        config={
            "experiment": snapshot.experiment,
            "dataset": data["name"],
            "fingerprint": data["fingerprint"],
            BOARD_KEY: head_of(snapshot),
        },
        tags=[f"dataset:{data['name']}"[:64]],
        job_type=job_type,
    )


def _log_plots(board_run: WandbTracker, snapshot: Snapshot, board: Path) -> None:
    """Curves as a table and pictures; every plot beside the board as it is."""
    columns, curves = points(snapshot)
    if curves:
        board_run.log_table("curves", columns, curves)
    for figure in board_page(board_of(snapshot, board)).figures():
        board_run.log_figure(f"plots/{figure.name.removeprefix(f'{snapshot.experiment}-')}", figure.draw())
    others = [file.stem for file in (board / RESULTS).glob("*.json") if file.stem.startswith(f"{snapshot.experiment}-")]
    for file in sorted((board / FOLDER).glob(f"{snapshot.experiment}-*.svg")):
        if not any(file.stem.startswith(f"{other}-") for other in others):
            name = file.stem.removeprefix(f"{snapshot.experiment}-")
            board_run.log_html(f"drawings/{name}", file.read_text(encoding="utf-8"))


def _log_gallery(board_run: WandbTracker, snapshot: Snapshot, settings: Settings) -> None:
    """Log the retrieval results of the best row's first run, or print why they cannot be shown."""
    from vsebench.inspect.examples_page import page

    best = best_row(snapshot)
    if best is None:
        return
    run_id = best.results[0].run_id
    try:
        gallery, dataset = _gallery(Store(settings.store_root, snapshot.experiment).run_folder(run_id), settings)
        text, tables, pictures = page(gallery, dataset), gallery_tables(gallery), gallery_pictures(gallery, dataset)
    except Exception as error:  # pictures may be damaged, data moved: what W&B shows must not fail a finished sweep
        say(f"W&B gets no gallery of {printable(best.row.name)}: {error}", error=True)
        return
    board_run.log_html("gallery/page", text)
    for name, table in tables.items():
        board_run.log_table(f"gallery/{name}", *table)
    for name, some in pictures.items():
        if some:
            board_run.log_pictures(f"gallery/{name}/pictures", some)


def _gallery(folder: Path, settings: Settings) -> tuple[Examples, Dataset]:
    from vsebench.inspect.examples import make_examples
    from vsebench.runs.load import load_run
    from vsebench.sweeps.worker import choose_device

    run = load_run(folder, device=choose_device(settings.device, 0))
    return make_examples(run, queries=QUERIES, k=FOUND, cache=settings.cache)


def _query(kind: str, one: Query, direction: str) -> list[Any]:
    line: list[Any] = [kind, one.thing.id, one.thing.id if direction == "i2t" else one.thing.text, float(one.rank)]
    for result in one.results[:FOUND]:
        line += [result.thing.text if direction == "i2t" else result.thing.id, result.right]
    return line + [None] * (4 + 2 * FOUND - len(line))


def _item(kind: str, one: Classified) -> list[Any]:
    marks = [", ".join(f"{name} ({share:.3f})" for name, share in some) for some in (one.true, one.predicted)]
    return [kind, one.thing.id, one.thing.text, *marks, one.right]


def _picture(dataset: Dataset, position: int) -> bytes | None:
    """Return an item's picture on a square, as W&B draws the pictures of a panel on one size."""
    from PIL import ImageOps

    from vsebench.data.pixels import open_rgb

    data = dataset.image_bytes(position)
    if data is None:
        return None
    buffer = io.BytesIO()
    ImageOps.pad(open_rgb(data), (SIDE, SIDE), color="white").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _means(view: RowView) -> dict[str, float]:
    results = {key: view.estimate(key) for key in view.results[0].metrics if key.startswith(("test/", "val/"))}
    return {f"best/{key}": e.mean for key, e in results.items() if e is not None}


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _leaves(values: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in nested plain data, each with its path."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _leaves(value, f"{path}/{name}" if path else str(name))
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for number, value in enumerate(values):
            yield from _leaves(value, f"{path}/{number}")
    elif isinstance(values, int | float) and not isinstance(values, bool):
        yield path, float(values)
