"""Claims are tested by the test of the rank groups, on all items and on slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outcome_boards import ITEMS, made_up

from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ConfigError
from vsebench.ops.slices import Slices
from vsebench.stats.claims import judged_claims
from vsebench.stats.compared_metrics import Measure, sums
from vsebench.stats.paired_tests import difference, holm
from vsebench.stats.rank_groups import scored
from vsebench.stats.rows import views

CLAIMS = [
    {"claim": "good helps", "row": "good", "over": "poor"},
    {"claim": "poor helps", "row": "poor", "over": "good"},
    {"claim": "alike", "row": "good", "over": "twin"},
    {"claim": "of a row that is not there", "row": "good", "over": "gone"},
]


def test_a_claim_is_supported_contradicted_or_not_shown() -> None:
    snapshot, item_scores = made_up({"good": 0.8, "twin": 0.8, "poor": 0.5}, ranked=False)
    results = judged_claims(snapshot, item_scores, CLAIMS)
    assert [result.gap and result.gap.verdict for result in results] == [
        "supported",
        "contradicted",
        "not shown",
        None,
    ]
    rows = {row.row.name: row for row in views(snapshot, "systems")}
    measure = Measure("accuracy", "accuracy")
    p = []
    for result in results[:3]:
        both = sums([rows[result.row], rows[result.over]], item_scores, measure)
        assert both is not None
        assert result.gap is not None
        test = difference(*scored(both))
        means = [
            np.mean([r.metrics["test/accuracy"] for r in rows[name].results]) for name in (result.row, result.over)
        ]
        assert result.gap.value == pytest.approx(means[0] - means[1])
        assert result.gap.low < result.gap.value < result.gap.high
        p.append(test.p)
    assert [r.gap.p for r in results[:3] if r.gap] == pytest.approx(holm(p, 3))


def test_on_slices_a_claim_is_that_of_the_subset() -> None:
    snapshot, item_scores = made_up({"good": 0.8, "poor": 0.5}, ranked=False)
    codes = (np.arange(ITEMS) % 3)[:, None].astype(np.int32)
    sliced = replace(item_scores, slices=Slices({"kind": ("a", "b", "c")}, codes))
    (result,) = judged_claims(snapshot, sliced, CLAIMS[:1])
    assert list(result.slices) == ["kind=a", "kind=b", "kind=c"]
    for code, gap in enumerate(result.slices.values()):
        means = [
            np.mean([item_scores.right["accuracy"][r.run_id][codes[:, 0] == code] for r in row.results])
            for row in views(snapshot, "systems")
        ]
        assert gap.value == pytest.approx(means[0] - means[1])
    (whole,) = judged_claims(snapshot, item_scores, CLAIMS[:1])
    assert whole.gap == result.gap
    assert whole.slices == {}


def test_a_claim_about_a_row_that_is_not_there_is_refused(write_experiment: Callable[..., Path]) -> None:
    base = {"image_encoder": "features", "text_encoder": "features", "head": "linear"}
    content: dict[str, Any] = {
        "experiment": "e",
        "dataset": "x",
        "systems": {"VSE": base, "COOT": base},
        "board": {"claims": [{"claim": "attention helps", "row": "COOT", "over": "VES"}]},
    }
    with pytest.raises(ConfigError, match="there is no row 'VES'. Did you mean 'VSE'"):
        load_experiment(write_experiment(content))
    content["board"]["claims"][0]["over"] = "VSE"
    assert len(load_experiment(write_experiment(content)).spec.board.claims or ()) == 1
