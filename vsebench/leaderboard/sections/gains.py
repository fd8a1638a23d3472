"""What a second modality is worth: each row with several modalities against its counterpart with one."""

from __future__ import annotations

from vsebench.core.display import Shown
from vsebench.leaderboard.board import BoardData, primary_metric
from vsebench.leaderboard.page import Section, code, plain_table
from vsebench.leaderboard.unimodal import Gain, gains
from vsebench.stats.rows import sort_key

PLACE = 50
#: Rows that the table shows, the best on validation.
SHOWN = 40


def sections(board: BoardData) -> list[Section]:
    """Return the section; none where the board has no row of several modalities, or none of one."""
    snapshot, shown = board.snapshot, primary_metric(board.snapshot)
    gain_rows = gains(snapshot)
    if not any(gain.best is not None for gain in gain_rows):
        return []
    key, mode = sort_key(snapshot)
    listed = gain_rows[:SHOWN]
    message = (
        f"{code(shown.key)}{shown.unit}{' (lower is better)' if mode == 'min' else ''}: each row with several "
        "modalities minus its counterpart, the row of this board with one of them and the same encoder; the best on "
        f"validation ({code(key)}) if there are several. Interval: t over the seeds of both. Head, size and training "
        "are each row's own."
    )
    if any(gain.best is not None and gain.missing for gain in listed):
        bound = "≥" if mode == "min" else "≤"
        message += f" {bound}: a bound, because another of its modalities has no such row and might be better alone."
    body = [_line(gain, shown, mode) for gain in listed]
    header = ["Row", "Best counterpart", "Note", "Gain", "Seeds"]
    remaining = [i for i, title in enumerate(header) if title != "Note" or any(line[i] for line in body)]
    table = plain_table(
        [header[i] for i in remaining], [[line[i] for i in remaining] for line in body], left=len(remaining) - 2
    )
    left_out = len(gain_rows) - len(listed)
    more = [f"{left_out} more rows are omitted (systems first, then the best on validation)."]
    return [Section("Gain over one modality", [message, table, *(more if left_out else [])])]


def _line(gain: Gain, shown: Shown, mode: str) -> list[str]:
    name = gain.row.row.name
    if gain.best is None:
        return [name, "–", "no row with one of its encoders alone", "–", "0"]
    best = f"{gain.best.row.row.name} ({gain.best.modality})"
    notes = [] if gain.best.same else ["the encoder has other options there"]
    if gain.missing:
        notes.append(f"no {' or '.join(gain.missing)} alone through its encoder")
    if gain.gain is None:
        return [name, best, "; ".join(["no seed in common", *notes]), "–", "0"]
    bound = ("≥ " if mode == "min" else "≤ ") if gain.missing else ""
    value = bound + shown.interval(gain.gain.mean, gain.gain.half)
    return [name, best, "; ".join(notes), value, str(gain.gain.count)]
