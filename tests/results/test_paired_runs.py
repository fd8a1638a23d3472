"""Paired tests of two runs: the board's, with its floor, and as SciPy has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vsebench.core.types import Result
from vsebench.results.paired_runs import compare_right
from vsebench.runs.item_scores import ItemScores
from vsebench.stats.compared_metrics import Measure, sums
from vsebench.stats.rank_groups import place
from vsebench.stats.rows import RowView


def changed(count: int, of: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Two runs of which the first alone gets some queries right."""
    a, b = np.zeros(of), np.zeros(of)
    a[: of // 2 + count], b[: of // 2] = 1, 1
    return a, b


def test_four_queries_of_a_hundred_cannot_say_more_than_four_signs() -> None:
    a, b = changed(4)
    result = compare_right("i2t/recall@1", a, b, np.arange(100))
    assert (result.p, result.test, result.only_a, result.only_b, result.count) == (0.125, "McNemar, exact", 4, 0, 100)
    pairs = compare_right("t2i/recall@1", a.repeat(2), b.repeat(2), np.arange(200) // 2)
    assert pairs.p == 0.125, "two captions of a picture are one sign"
    assert pairs.test == "paired bootstrap and t-test over 100 pictures"
    tied = compare_right("accuracy", np.where(np.arange(100) == 99, 0.5, a), b, np.arange(100))
    assert tied.test.startswith("paired bootstrap"), "a tied answer is neither right nor wrong"
    assert tied.p >= 2.0**-4


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("partly", [False, True])
def test_the_board_gives_the_same_pair_the_same_p(grouped: bool, partly: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = ((rng.random(120) < share).astype(float) for share in (0.7, 0.55))
    if partly:
        a[:5] = 0.5
    clusters = np.arange(120) // (3 if grouped else 1)
    rows = [RowView.__new__(RowView) for _ in range(2)]
    for row, name in zip(rows, "ab", strict=True):
        result = Result.__new__(Result)
        object.__setattr__(result, "run_id", name)
        object.__setattr__(row, "results", [result])
    item_scores = ItemScores("f", np.arange(120), clusters, {"accuracy": {"a": a, "b": b}})
    board = sums(rows, item_scores, Measure("accuracy", "accuracy"))
    assert board is not None
    (ranked_row,) = place(board)[0][1:]
    results = compare_right("accuracy", b, a, clusters)
    assert ranked_row.between is not None
    assert (results.p, results.low, results.high) == (ranked_row.p, ranked_row.between.low, ranked_row.between.high)


def test_the_interval_is_that_of_the_paired_t_test() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 400))
    theirs = stats.ttest_rel(a, b)
    result = compare_right("i2t/recall@1", a, b, np.arange(400) * 7)
    assert (result.low, result.high) == pytest.approx(tuple(theirs.confidence_interval()), abs=0.005)
    assert result.p == pytest.approx(theirs.pvalue, abs=0.02)


def test_clusters_widen_the_interval() -> None:
    """Five captions of a picture that are right together count as one picture."""
    rng = np.random.default_rng(0)
    a, b = ((rng.random(100) < 0.5).astype(float).repeat(5) for _ in range(2))
    alone = compare_right("t2i/recall@1", a, b, np.arange(500))
    together = compare_right("t2i/recall@1", a, b, np.arange(100).repeat(5))
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(5), rel=0.1)


def test_equal_runs_do_not_differ() -> None:
    same = np.ones(20)
    result = compare_right("accuracy", same, same, np.arange(20))
    assert result.p == 1.0
    assert result.high == -result.low == pytest.approx(stats.t.ppf(0.975, 19) / 20), "the error of one item"
