"""Paired tests: as SciPy and statsmodels have them, and as slow loops do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from vsebench.results.paired_runs import bootstrap, compare_right, mcnemar


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (3, 3), (1, 9), (12, 30), (40, 7), (250, 301)])
def test_mcnemar_is_statsmodels_(a: int, b: int) -> None:
    table = [[50, a], [b, 7]]
    assert mcnemar(a, b) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue, abs=1e-12)


def test_the_bootstrap_is_scipy_s() -> None:
    """Of queries that are clusters of their own, interval and p agree up to resampling."""
    rng = np.random.default_rng(0)
    a = (rng.random(400) < 0.6).astype(float)
    b = np.where(rng.random(400) < 0.8, a, rng.random(400) < 0.5)
    low, high, p = bootstrap(a, b, np.arange(400))
    said = stats.bootstrap((a - b,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1))
    assert low == pytest.approx(said.confidence_interval.low, abs=0.004)
    assert high == pytest.approx(said.confidence_interval.high, abs=0.004)
    assert p >= stats.ttest_rel(a, b).pvalue - 0.02, "whole numbers are tied with what was found, and count"
    a, b = rng.normal(size=(2, 400))
    for shift in (0.0, 0.05, 0.12):
        _, _, p = bootstrap(a + shift, b, np.arange(400))
        assert p == pytest.approx(stats.ttest_rel(a + shift, b).pvalue, abs=0.02)


def test_the_bootstrap_is_a_loop_over_clusters() -> None:
    rng = np.random.default_rng(3)
    clusters = rng.integers(0, 12, 40) * 7
    a, b = rng.random((2, 40))
    low, high, p = bootstrap(a, b, clusters, resamples=300, seed=5)
    names = np.unique(clusters)
    drawn = []
    for counts in np.random.default_rng(5).multinomial(len(names), np.full(len(names), 1 / len(names)), size=300):
        rows = [
            q for name, count in zip(names, counts, strict=True) for q in np.flatnonzero(clusters == name).repeat(count)
        ]
        drawn.append(np.mean([a[q] - b[q] for q in rows]))
    found = np.mean(a - b)
    assert (low, high) == pytest.approx((np.quantile(drawn, 0.025), np.quantile(drawn, 0.975)))
    below = sum(d - found <= -abs(found) for d in drawn)
    above = sum(d - found >= abs(found) for d in drawn)
    assert p == pytest.approx(min(1.0, 2 * (min(below, above) + 1) / 301))


def test_clusters_widen_the_interval() -> None:
    """Five captions of a picture that are right together count as one picture."""
    rng = np.random.default_rng(0)
    a, b = ((rng.random(100) < 0.5).astype(float).repeat(5) for _ in range(2))
    alone = bootstrap(a, b, np.arange(500))
    together = bootstrap(a, b, np.arange(100).repeat(5))
    assert (together[1] - together[0]) / (alone[1] - alone[0]) == pytest.approx(np.sqrt(5), rel=0.1)


def test_equally_good_runs_rarely_differ() -> None:
    rng = np.random.default_rng(0)
    ps = []
    for _ in range(300):
        a, b = ((rng.random(120) < 0.5).astype(float) for _ in range(2))
        ps.append(bootstrap(a, b, np.arange(120) // 2, resamples=400)[2])
    assert np.mean(np.array(ps) <= 0.05) <= 0.08
    same = np.ones(20)
    assert bootstrap(same, same, np.arange(20)) == (0.0, 0.0, 1.0)


def test_which_test_is_taken() -> None:
    a, b = np.array([1.0, 1, 1, 0, 0]), np.array([1.0, 0, 0, 1, 0])
    own = np.arange(5)
    found = compare_right("accuracy", a, b, own)
    assert (found.test, found.only_a, found.only_b, found.p) == ("McNemar, exact", 2, 1, 1.0)
    assert (found.a, found.b) == (0.6, 0.4)
    assert compare_right("i2t/recall@1", a, b, own).test == "paired bootstrap over 5 pictures"
    assert compare_right("t2i/recall@1", a, b, own // 2).test == "paired bootstrap over 3 pictures"
    tied = compare_right("accuracy", np.array([0.5, 1, 1, 0, 0]), b, own)
    assert tied.test.startswith("paired bootstrap"), "a tied answer is neither right nor wrong"
