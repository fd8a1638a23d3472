"""What a second modality gains: which counterpart counts, over which seeds, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from board_texts import section_text
from grid_boards import DATA, result
from scipy import stats

from vsebench.leaderboard.sections import gains as section
from vsebench.leaderboard.sections.gains import SHOWN
from vsebench.leaderboard.unimodal import gains
from vsebench.runs.snapshot import BoardRow, Snapshot

CNN, VIT = {"name": "cnn", "layers": 4}, {"name": "vit", "size": 16}
LSTM, DEEP = {"name": "lstm", "layers": 1}, {"name": "lstm", "layers": 2}
#: A row: encoders, and by seed (validation, test).
Row = tuple[Mapping[str, Any], Mapping[int, tuple[float, float]]]


def uses(image: Any = None, text: Any = None, audio: Any = None) -> dict[str, Any]:
    return {"image_encoder": image, "text_encoder": text, "audio_encoder": audio}


def board(rows: Mapping[str, Row], *, mode: str = "max", metric: str = "accuracy") -> Snapshot:
    listed, results = [], {}
    for number, (name, (config, numbers)) in enumerate(rows.items()):
        runs = {str(seed): f"{number}-{seed}" for seed in numbers}
        listed.append(BoardRow(name, "systems", {}, runs))
        for seed, (val, test) in numbers.items():
            metrics = {f"val/{metric}": val, f"test/{metric}": test}
            results[runs[str(seed)]] = result(runs[str(seed)], name, seed, metrics, config=config)
    return Snapshot(
        "demo", "Demo", DATA, listed, [0, 1, 2], {"metric": f"val/{metric}", "mode": mode}, {}, "x", results
    )


BOTH: Row = (uses(CNN, LSTM), {0: (0.9, 0.90), 1: (0.9, 0.92), 2: (0.9, 0.91)})
IMAGE: Row = (uses(image=CNN), {0: (0.6, 0.70), 1: (0.6, 0.68), 2: (0.6, 0.72)})
TEXT: Row = (uses(text=LSTM), {0: (0.5, 0.80), 1: (0.5, 0.80), 2: (0.5, 0.80)})


def test_the_counterpart_is_chosen_on_validation_and_compared_by_seed() -> None:
    """The text's row is better on test; the image's is the one that validation chooses."""
    (result,) = gains(board({"both": BOTH, "image": IMAGE, "text": TEXT}))
    assert result.best is not None
    assert result.gain is not None
    assert (result.best.row.row.name, result.best.modality, result.best.same, result.missing) == (
        "image",
        "image",
        True,
        (),
    )
    interval = stats.ttest_rel([0.90, 0.92, 0.91], [0.70, 0.68, 0.72]).confidence_interval(0.95)
    assert result.gain.mean - result.gain.half == pytest.approx(interval.low)
    assert result.gain.mean + result.gain.half == pytest.approx(interval.high)


def test_only_seeds_that_both_have_count() -> None:
    image: Row = (uses(image=CNN), {1: (0.6, 0.5), 3: (0.6, 0.0)})
    (result,) = gains(board({"both": BOTH, "image": image, "text": TEXT}))
    assert result.gain is not None
    assert (result.gain.mean, result.gain.half, result.gain.count) == (pytest.approx(0.42), None, 1)
    other: Row = (uses(image=CNN), {7: (0.6, 0.5)})
    lines = section_text(section, board({"both": BOTH, "image": other, "text": TEXT}))
    assert "no seed in common" in lines


def test_the_same_options_come_before_the_same_name() -> None:
    deep: Row = (uses(text=DEEP), {0: (0.99, 0.99)})
    rows = {"both": BOTH, "text": TEXT, "deep": deep}
    (result,) = gains(board(rows))
    assert result.best is not None
    assert (result.best.row.row.name, result.best.same, result.missing) == ("text", True, ("image",))
    del rows["text"]
    (result,) = gains(board(rows))
    assert result.best is not None
    assert (result.best.row.row.name, result.best.same) == ("deep", False)
    text = section_text(section, board(rows))
    assert "the encoder has other options there; no image alone through its encoder" in text


def test_a_gain_over_some_of_the_modalities_is_a_bound() -> None:
    text = section_text(section, board({"both": BOTH, "image": IMAGE}))
    assert "≤: a bound, because another of its modalities has no such row" in text
    assert "| ≤ +21.0 [" in text
    lower = section_text(section, board({"both": BOTH, "image": IMAGE}, mode="min", metric="nll"))
    assert "(lower is better)" in lower
    assert "| ≥ +0.210 [" in lower
    full = section_text(section, board({"both": BOTH, "image": IMAGE, "text": TEXT}))
    assert "≤" not in full
    assert "Note" not in full


def test_where_lower_is_better_the_lowest_on_validation_counts() -> None:
    (result,) = gains(board({"both": BOTH, "image": IMAGE, "text": TEXT}, mode="min", metric="nll"))
    assert result.best is not None
    assert result.best.row.row.name == "text"


def test_rows_without_a_counterpart_say_so() -> None:
    other: Row = (uses(VIT, {"name": "bow"}), {0: (0.4, 0.4)})
    text = section_text(section, board({"both": BOTH, "other": other, "image": IMAGE, "text": TEXT}))
    (line,) = [line for line in text.splitlines() if line.startswith("| other")]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "other", "–", "no row with one of its encoders alone", "–", "0"]  # fmt: skip


def test_three_modalities_have_counterparts_of_one() -> None:
    three: Row = (uses(CNN, LSTM, {"name": "spectrum"}), {0: (0.9, 0.9)})
    sound: Row = (uses(audio={"name": "spectrum"}), {0: (0.7, 0.6)})
    result, pair = gains(board({"three": three, "both": BOTH, "image": IMAGE, "text": TEXT, "sound": sound}))
    assert result.best is not None
    assert (result.best.row.row.name, result.missing) == ("sound", ())
    assert pair.best is not None
    assert pair.best.row.row.name == "image"


def test_boards_of_one_kind_have_no_section() -> None:
    assert section_text(section, board({"image": IMAGE, "text": TEXT})) == ""
    assert section_text(section, board({"both": BOTH})) == ""
    assert section_text(section, board({"other": (uses(VIT, DEEP), {0: (0.5, 0.5)}), "image": IMAGE})) == ""


def test_hostile_names_and_long_boards() -> None:
    rows = {f"a|b <i>x</i> {i}": BOTH for i in range(SHOWN + 2)}
    text = section_text(section, board({**rows, "c|d\n`e`": IMAGE}))
    assert "<i>" not in text.replace("\\<i\\>", "")
    assert text.count("\n| a\\|b") == SHOWN
    assert "c\\|d \\`e\\` (image)" in text
    assert "2 more rows are omitted" in text
