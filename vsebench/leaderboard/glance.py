"""What a board says first: what to use and how sure that is, what fusing brings, and what it cannot say."""

from __future__ import annotations

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.facts import (
    encoders_at_majority,
    headroom,
    is_placebo,
    not_better_than_unimodal,
    placebos_better_than_unimodal,
    retrieval_at_chance,
)
from vsebench.leaderboard.forest import forest
from vsebench.leaderboard.page import Block, Bullets, code, strong
from vsebench.leaderboard.sections.protocol import other_definitions
from vsebench.leaderboard.significance import resolvable, unavailable
from vsebench.leaderboard.table import short, units
from vsebench.leaderboard.titles import AXIS_TITLES
from vsebench.stats.rank_groups import Comparison
from vsebench.stats.rows import RowView

#: Rows that a sentence names.
NAMED = 5


def glance(board: BoardData) -> list[Block]:
    """Return the opening of a board that has rows: sentences, cautions, and the plot of all rows."""
    if not board.rows:
        return [_about(board)]
    blocks: list[Block] = [_about(board), f"{strong('At a glance.')} {_use(board)}"]
    more = " ".join(filter(None, [_cheapest(board), _fusing(board), _bounds(board)]))
    figure, warnings = forest(board), cautions(board)
    blocks += [] if figure is None else [figure]
    blocks += [more] if more else []
    blocks += [strong("Cautions."), Bullets(warnings)] if warnings else []
    return blocks


def _about(board: BoardData) -> str:
    """Return data, modalities, size and date in a line."""
    snapshot, finished = board.snapshot, finished_runs(board)
    data, sizes = snapshot.dataset, snapshot.dataset["splits"]
    items = f"{short(data['title'])}: {sum(sizes.values()):,} items ({sizes.get('test', 0):,} test)"
    parts = [items, f"{data['num_classes']} classes", modalities(board)]
    parts += [
        f"{len(board.rows)} rows, {len(finished)} runs, {len(snapshot.seeds)} seed{'s' * (len(snapshot.seeds) > 1)}"
    ]
    dates = sorted(run.finished_at[:10] for run in finished)
    return " · ".join([part for part in [*parts, *dates[-1:]] if part])


def finished_runs(board: BoardData) -> list:
    """Return the finished runs."""
    return [run for run in board.snapshot.results.values() if run.status == "finished"]


def modalities(board: BoardData) -> str:
    """Return the modalities that any row reads."""
    return max((row.modalities for row in board.rows), key=len, default="")


def named(row: RowView) -> str:
    """Return a row's name, cut where it is no sentence's."""
    return short(row.row.name)


def best_text(board: BoardData, row: RowView) -> str:
    """Return a row's number with its unit, and its interval over items where there is one; in words that it is missing
    for some seed.
    """
    section = row.row.section
    score, comparison = board.score(section), board.comparison(section)
    estimate = row.estimate(score.key)
    if estimate is None:
        return "missing for one of its seeds"
    ranked = None if comparison is None else comparison.ranked_rows.get(row.row.name)
    if comparison is None or ranked is None:
        return score.cell(estimate) + score.percent
    scale = comparison.measure.scale / score.factor
    low, high = (score.plain(scale * end) for end in (ranked.interval.low, ranked.interval.high))
    return f"{score.plain(estimate.mean)}{score.percent} [{low}, {high}]"


def leading_rows(board: BoardData) -> list[RowView]:
    """Return the rows of the leading group of the first table; the best on validation alone where none are compared."""
    names = board.leading(board.sections[0])
    rows = [row for row in board.ranked if row.row.section == board.sections[0]]
    return [row for row in rows if row.row.name in names] or rows[:1]


def _use(board: BoardData) -> str:
    section = board.sections[0]
    rows, score, comparison = leading_rows(board), board.score(section), board.comparison(section)
    best = f"{strong(named(rows[0]))}: {score.heading[:1].lower()}{score.heading[1:]} {best_text(board, rows[0])}"
    every = sum(row.row.section == section for row in board.rows)
    values = sorted(e.mean for row in rows if (e := row.estimate(score.key)) is not None)
    if comparison is None or every < 2 or not values:
        why = "" if every < 2 else " Rows are not compared by this number over test items: its uncertainty is unknown."
        return f"Best on validation is {best}.{why}"
    if len(rows) == 1:
        return f"Use {best} over test items: {_others(comparison)}."
    of = "all" if len(rows) == every else f"any of the {len(rows)} leading rows of {every}"
    unresolved = resolvable(comparison)
    rest = f" (differences below {unresolved} cannot be resolved)" if unresolved else ""
    which = f"Use any row: {of} {every} reach" if len(rows) == every else f"Use {of}: they reach"
    ends = "–".join(dict.fromkeys([score.plain(values[0]), score.plain(values[-1])])) + score.percent
    return f"{which} {ends} and are not told apart here{rest}. Best on validation is {best} over test items."


def _others(comparison: Comparison) -> str:
    """Return how the rows stand that do not lead."""
    undecided = [name for name, row in comparison.ranked_rows.items() if row.status == "undecided"]
    return (
        f"all others are worse but {', '.join(map(short, undecided))}, undecided"
        if undecided
        else "all other rows are worse"
    )


def _cheapest(board: BoardData) -> str:
    rows = leading_rows(board)
    if len(rows) < 2:
        return ""
    cheapest = min(rows, key=lambda row: (row.results[0].parameters["total"], row.train_s().mean))
    count, seconds = units(cheapest.results[0].parameters["total"]), cheapest.train_s().mean
    needs = f"{count} parameters, {seconds:.0f} s of training"
    if cheapest is rows[0]:
        return f"It is also the smallest of them ({needs})."
    return f"The smallest of them is {strong(named(cheapest))} ({best_text(board, cheapest)}, {needs})."


def _fusing(board: BoardData) -> str:
    base = board.base
    several = _fused(board)
    known = board.over_base.get((several[0].row.section, several[0].row.name)) if several else None
    if base is None or known is None:
        return ""
    brings = board.score(base.row.section).in_sentence(*known)
    return f"Fusing brings {brings} over {base.modalities} alone ({named(base)}, {best_text(board, base)})."


def _fused(board: BoardData) -> list[RowView]:
    """Return the rows of several modalities that read them as they are, best on validation first."""
    return [row for row in board.ranked if " + " in row.modalities and not is_placebo(row)]


def _bounds(board: BoardData) -> str:
    """Return what is reached without looking, and what is the most that can be."""
    data, score = board.snapshot.dataset, board.score(board.sections[0])
    majority, ceilings = data.get("majority", {}).get("test"), data.get("ceilings") or {}
    lines = []
    if score.key == "test/accuracy" and majority:
        lines.append(f"The most frequent class is {100 * majority:.1f} % of test.")
    if ceilings:
        lines.append(f"Best possible accuracy: {', '.join(f'{name} {100 * v:.1f} %' for name, v in ceilings.items())}.")
    return " ".join(lines)


def cautions(board: BoardData) -> list[str]:
    """Return what keeps the board from saying more, a line each."""
    snapshot, comparisons = board.snapshot, board.comparisons
    lines = []
    several = _fused(board)
    below = [gain.row for gain in not_better_than_unimodal(snapshot, board.item_scores)] if board.base else []
    if below:
        verb, whose = ("is", "its") if len(below) == 1 else ("are", "their")
        lines.append(
            f"{len(below)} of {len(several)} rows of several modalities {verb} not shown to be better than {whose} "
            f"best modality alone: {_listing(below)}."
        )
    if placebos := placebos_better_than_unimodal(snapshot, board.item_scores):
        lines.append(
            f"Placebo rows are better than one modality alone ({_listing([gain.row for gain in placebos])}): part of a "
            "gain by fusing has another cause than the second modality."
        )
    for slot, row in encoders_at_majority(snapshot, comparisons):
        lines.append(
            f"{AXIS_TITLES[slot]} {row.component(slot)} alone is no better than the most frequent class "
            f"({named(row)}): rows that use it say little of their other parts."
        )
    room = headroom(snapshot, comparisons)
    if room is not None and room.too_small:
        lines.append(
            f"{short(room.top)} is {100 * room.value:.1f} points above {short(room.control)}, less than the "
            f"{100 * room.resolvable:.1f} points that the table can resolve."
        )
    if chance := retrieval_at_chance(snapshot, comparisons):
        ranked = sum(any(k.startswith("test/i2t/") for k in row.results[0].metrics) for row in board.rows)
        lines.append(f"Recall is not shown to be above chance for {len(chance)} of {ranked} rows that rank.")
    if older := other_definitions(snapshot):
        lines.append(f"Of an earlier version than today's (see Protocol): {', '.join(map(code, older))}.")
    return [*lines, *unavailable(board)]


def _listing(rows: list[RowView]) -> str:
    names = [named(row) for row in rows]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
