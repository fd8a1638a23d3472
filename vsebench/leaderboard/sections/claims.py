"""The section on claims: the rows that an experiment was made to compare, on its data, on slices and on other data."""

from __future__ import annotations

from collections.abc import Sequence

from vsebench.leaderboard.board import BoardData
from vsebench.leaderboard.page import Block, Section, code, plain_table
from vsebench.stats.claims import Gap, JudgedClaim, judged_claims

PLACE = 5


def sections(board: BoardData) -> list[Section]:
    """Return the section: a claim a row; none without claims, or where nothing is known of single test items."""
    claims = board.snapshot.board.get("claims") or []
    if not claims or board.item_scores is None:
        return []
    here = judged_claims(board.snapshot, board.item_scores, claims)
    elsewhere = {
        name: judged_claims(other.snapshot, other.item_scores, claims)
        for name, other in board.repeats.items()
        if other.item_scores is not None
    }
    verdicts = [claim.gap.verdict for claim in here if claim.gap is not None]
    note = (
        "Test accuracy of a row minus that of another, in points, on the same items; in brackets 95 % over items and "
        f"seeds. Supported or contradicted: p of at most .05, adjusted for {len(verdicts)} claims (Holm)."
    )
    blocks: list[Block] = [note, _whole(here, elsewhere)]
    missing = [name for name in board.snapshot.board.get("repeats") or [] if name not in elsewhere]
    blocks += [f"Not swept yet: {', '.join(map(code, missing))}."] if missing else []
    fields = dict.fromkeys(name.partition("=")[0] for claim in here for name in claim.slices)
    for field in fields:
        blocks += [f"By {code(field)}; p is not adjusted here.", _sliced(here, field)]
    return [Section("Claims", blocks, f"{verdicts.count('supported')} of {len(here)} supported", folded=False)]


def _whole(here: Sequence[JudgedClaim], elsewhere: dict[str, list[JudgedClaim]]) -> Block:
    """Return the table of all items: here, and on each other data."""
    body: list[list[str]] = []
    for number, claim in enumerate(here):
        repeated = [claims[number].gap for claims in elsewhere.values()]
        gaps = [claim.gap, *repeated]
        verdict = "not shown" if claim.gap is None else claim.gap.verdict
        count = sum(gap is not None and gap.verdict == "supported" for gap in gaps)
        holds = [f"{count} of {len(gaps)}"] if elsewhere else []
        body.append([claim.claim, f"{claim.row} over {claim.over}", verdict, *map(_cell, gaps), *holds])
    head = ["Claim", "Rows", "Verdict", "Difference", *elsewhere, *(["Supported on"] if elsewhere else [])]
    return plain_table(head, body, left=3)


def _sliced(here: Sequence[JudgedClaim], field: str) -> Block:
    """Return the table of a field's slices."""
    names = list(dict.fromkeys(name for claim in here for name in claim.slices if name.partition("=")[0] == field))
    body = [[claim.claim, *(_cell(claim.slices.get(name)) for name in names)] for claim in here]
    return plain_table(["Claim", *(name.partition("=")[2] for name in names)], body)


def _cell(gap: Gap | None) -> str:
    if gap is None:
        return "no result"
    return f"{100 * gap.value:+.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]".replace("-", "−")
