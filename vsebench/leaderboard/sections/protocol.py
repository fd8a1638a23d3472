"""What a board says of how its numbers came about."""

from __future__ import annotations

from collections.abc import Sequence

from vsebench.core.registry import METRICS
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Bullets, Section, code, link, strong
from vsebench.leaderboard.significance import protocol_lines
from vsebench.leaderboard.table import short
from vsebench.runs.earlier import has_earlier_id
from vsebench.runs.snapshot import SYSTEM_FORM, Snapshot
from vsebench.stats.rows import pruned, sort_key

PLACE = 100
#: Characters of a name in a line that has several.
LONGEST = 1_000
#: What a match is, by the dataset's relevance.
_MATCHES = {
    "item": "its own captions",
    "group": "the captions of its item",
    "label": "the captions of items that share a label with it",
}


def ranked_items(snapshot: Snapshot) -> str:
    """Describe queries, gallery and relevance."""
    images, captions = snapshot.dataset["splits"].get("test", 0), snapshot.dataset.get("captions", {}).get("test", 0)
    if not captions and "text" in snapshot.dataset.get("features", {}):
        captions = images  # its features, one set for each item
    relevant = _MATCHES[snapshot.dataset.get("relevance", "item")]
    if snapshot.gallery != OWN_SPLIT:
        gallery_items = _gallery_size(snapshot)
        return (
            f"queries: test, {images:,} items; gallery: {snapshot.gallery}, {gallery_items:,} items; a match "
            f"is any of {relevant}"
        )
    return f"test: {images:,} images, {captions:,} captions; a match is any of {relevant}"


def _gallery_size(snapshot: Snapshot) -> int:
    """Items of the set that test is ranked against."""
    return int({**snapshot.dataset["sets"], **snapshot.dataset["splits"]}[snapshot.gallery])


def other_definitions(snapshot: Snapshot) -> dict[str, tuple[int, int]]:
    """Metrics whose numbers here are by another definition than this version's: name -> its version, and today's.

    Whether a metric of a plug-in that is not loaded has changed is not known.
    """
    recorded = next((r.metric_versions for r in snapshot.results.values() if r.status == "finished"), {})
    now = {name: int(METRICS.get(name).facts["version"]) for name in sorted(recorded) if name in METRICS}
    return {name: (recorded[name], version) for name, version in now.items() if recorded[name] != version}


def definition_lines(snapshot: Snapshot) -> list[str]:
    """Return the page's lines on metrics of earlier versions; empty where all are by today's definitions."""
    other = other_definitions(snapshot)
    if not other:
        return []
    named = ", ".join(
        f"{code(name)} has version {versions_of_row} (now {now})" for name, (versions_of_row, now) in other.items()
    )
    return [
        f"{strong('Earlier metric versions:')} {named}. Numbers of different versions cannot be compared. "
        "docs/metrics.md lists the changes; with the runs' folders, 'vsebench results recompute' recomputes them."
    ]


def earlier_id_lines(snapshot: Snapshot) -> list[str]:
    """Return the page's line on runs whose ids are of the earlier form; empty where there are none."""
    earlier = [result for result in snapshot.results.values() if has_earlier_id(result)]
    if not earlier:
        return []
    versions = sorted({str(result.versions.get("vsebench", "?")) for result in earlier})
    commits = sorted({result.commit for result in earlier if result.commit})
    of_commits = f" (commit{'s' * (len(commits) > 1)} {', '.join(map(code, commits))})" if commits else ""
    which = "these runs were" if len(earlier) == len(snapshot.results) else f"{len(earlier)} of these runs were"
    line = (
        f"{strong('Earlier run ids:')} {which} made by version {', '.join(versions)}{of_commits}; their ids "
        "include a digest of its code, so a sweep does not recognise them."
    )
    if snapshot.form == SYSTEM_FORM:
        line += (
            " With the runs' folders, 'vsebench results carry-over' gives current ids to those whose configuration is "
            "unchanged."
        )
    return [line]


def _evaluations(finished: Sequence[Result]) -> str:
    """Return how often the runs were evaluated on test, those named that were more than once."""
    more = [r for r in finished if r.test_evaluations > 1]
    if not more:
        return "Test is evaluated once per run, at the end."
    shown = [f"{r.system}, seed {r.seed!s}: {r.test_evaluations} times" for r in more[:10]]
    rest = f"; and {len(more) - 10} more" if len(more) > 10 else ""
    return (
        f"{strong('Test was evaluated more than once')} for {len(more)} of {len(finished)} runs, which were repeated "
        "after "
        f"their test numbers were known ({'; '.join(shown)}{rest}), and once for the others."
    )


def sections(board: BoardData) -> list[Section]:
    """Return the section."""
    snapshot = board.snapshot
    data = snapshot.dataset
    finished = [r for r in snapshot.results.values() if r.status == "finished"]
    sizes = ", ".join(f"{name} {size:,}" for name, size in data["splits"].items())
    seeds = ", ".join(str(s) for s in snapshot.seeds)
    interval = "mean ± 95 % t-interval over seeds" if len(snapshot.seeds) > 1 else "one seed, so no interval"
    lines = [
        f"Data: {short(data['title'], LONGEST)}, fingerprint {code(data['fingerprint'])}; {sizes} items, "
        f"{data['num_classes']!s} classes. Splits: {short(data.get('split_rule') or 'the dataset’s own', LONGEST)}.",
        f"Numbers in percent where they are shares; {interval} (seeds {seeds}).",
        *protocol_lines(board),
        f"{_chosen(snapshot, finished)} {_evaluations(finished)}",
    ]
    keys = {key for r in finished for key in r.metrics}
    if any("/average_precision" in key for key in keys):
        lines.append("AP: macro average over classes.")
    if any("/i2t/" in key for key in keys):
        lines.append(
            "R@k: share of queries with a match among the first k (hit rate). Equal scores count in expectation over "
            "their order. Embeddings of one modality do not depend on the other."
        )
    if snapshot.gallery != OWN_SPLIT:
        lines.append(
            f"Queries are ranked against set '{snapshot.gallery}' of {_gallery_size(snapshot):,} items, val "
            "queries against it without val's items; it contains no test item."
        )
    if any(r.curves for r in finished):
        lines.append("Codes are ranked by Hamming distance, equal distances in expectation over their order.")
    lines += _search(snapshot)
    lines += [f"{line}" for line in snapshot.board.get("protocol", [])]
    if finished:
        versions = finished[0].versions
        packages = ("vsebench", "torch", "timm", "transformers")
        listing = ", ".join(f"{k} {short(v)}" for k, v in versions.items() if k in packages)
        dates = sorted(r.finished_at[:10] for r in finished)
        hardware = finished[0].hardware
        device, threads = (short(str(hardware.get(name, "?")), LONGEST) for name in ("device", "threads"))
        lines.append(
            f"{len(finished)} runs, {short(dates[0])} to {short(dates[-1])}, on {device}, {threads} thread per run; "
            f"{listing}."
        )
    table = f"{snapshot.experiment}.csv"
    lines.append(f"Made by {code(snapshot.command)}. All metrics: {link(table, table)}.")
    return [Section("Protocol", [*definition_lines(snapshot), *earlier_id_lines(snapshot), Bullets(lines)])]


def _chosen(snapshot: Snapshot, finished: Sequence[Result]) -> str:
    """Describe what validation decides."""
    rows = f"rows are sorted by {code(sort_key(snapshot)[0])}."
    if any(r.config.get("objective") for r in finished):
        return f"The epoch is chosen by {code(snapshot.select['metric'])}; {rows}"
    return rows.capitalize()


def _search(snapshot: Snapshot) -> list[str]:
    search = snapshot.search
    parts = []
    if "method" in search:
        budget, sampled, seed = (str(search[name]) for name in ("budget", "asked", "seed"))
        so_far = "" if sampled == budget else f" ({sampled} so far)"
        parts.append(
            f"Searched by {code(search['method'])}, {budget} configurations{so_far}, sampler seed {seed}, "
            f"for {code(snapshot.select['metric'])} as the mean over seeds"
        )
    if "prune" in search:
        parts.append(f"{'pruning' if parts else 'Pruning'} by {search['prune']}: {len(pruned(snapshot))} runs pruned")
    elif parts:
        parts.append("no pruning")
    return [f"{'; '.join(parts)}."] if parts else []
