"""Paired tests and Holm's correction: against SciPy and statsmodels, and by closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vsebench.stats.bootstrap import resampled
from vsebench.stats.paired_tests import Scores, difference, holm, mcnemar, seed_noise


def scores(values: np.ndarray, seeds: list[list[float]] | None = None, binary: bool = False) -> list[Scores]:
    """Rows whose items are clusters of their own. Shape: values (R, n)"""
    samples = resampled(values.T[:, :, None], np.ones((values.shape[1], 1)))
    noise = seed_noise(seeds or [[float(v.mean())] for v in values])
    return [
        Scores(float(v.mean()), n, samples[:, i], v[:, None], v if binary else None)
        for i, (v, n) in enumerate(zip(values, noise, strict=True))
    ]


def answers(shares: list[float], items: int = 200, seed: int = 0) -> np.ndarray:
    hard = np.random.default_rng(seed).random(items)
    noise = np.random.default_rng(seed + 1).random((len(shares), items))
    return (0.5 * hard + 0.5 * noise < np.array(shares)[:, None]).astype(float)


def test_holm_is_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    for seed in range(5):
        values = np.random.default_rng(seed).random(12) ** 3
        assert holm(values.tolist()) == pytest.approx(multipletests(values, method="holm")[1])
        whole = [*values.tolist(), *[1.0] * 30]  # comparisons that were not made count as if they had shown nothing
        assert holm(values.tolist(), 42) == pytest.approx(multipletests(whole, method="holm")[1][:12])
    assert holm([]) == []
    with pytest.raises(ValueError, match="cannot hold 2"):
        holm([0.1, 0.2], 1)


def test_mcnemar_is_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    for gained, lost in ((3, 12), (0, 6), (20, 21), (1, 0)):
        assert mcnemar(gained, lost) == pytest.approx(theirs([[9, gained], [lost, 9]], exact=True).pvalue)
    assert mcnemar(0, 0) == 1.0


def test_one_seed_of_right_or_wrong_answers_is_mcnemars() -> None:
    values = answers([0.6, 0.7])
    a, b = scores(values, binary=True)
    table = [int((values[0] > values[1]).sum()), int((values[0] < values[1]).sum())]
    assert difference(a, b).p == pytest.approx(stats.binomtest(table[0], sum(table)).pvalue)
    assert difference(a, b).value == pytest.approx(values[0].mean() - values[1].mean())


def test_without_seeds_it_is_the_paired_t_test() -> None:
    values = np.random.default_rng(0).random((2, 150))
    values[1] = 0.6 * values[0] + 0.4 * values[1] + 0.03
    a, b = scores(values)
    result, theirs = difference(a, b), stats.ttest_rel(values[0], values[1])
    assert result.error == pytest.approx(abs(result.value / theirs.statistic), rel=0.02), "resampled, not computed"
    assert result.freedom == 149
    assert result.p == pytest.approx(theirs.pvalue, rel=0.15)
    bootstrapped = stats.bootstrap((values[0] - values[1],), np.mean, n_resamples=10_000, rng=np.random.default_rng(1))
    assert result.error == pytest.approx(bootstrapped.standard_error, rel=0.03)
    low, high = theirs.confidence_interval()
    half = result.quantile(0.975)
    assert (result.value - half, result.value + half) == pytest.approx((low, high), abs=0.002)


def test_without_items_it_is_welchs_t_test() -> None:
    seeds = [[0.80, 0.82, 0.87], [0.70, 0.78, 0.71]]
    pool = np.mean([np.var(s, ddof=1) for s in seeds])
    values = np.repeat(np.array([[np.mean(s)] for s in seeds]), 500, axis=1)  # every item alike: no variance of items
    result = difference(*scores(values, seeds))
    larger = [max(float(np.var(s, ddof=1)), float(pool)) for s in seeds]
    free = [2 if np.var(s, ddof=1) > pool else 4 for s in seeds]
    error = np.sqrt(sum(larger) / 3)
    freedom = sum(larger) ** 2 / sum(v * v / f for v, f in zip(larger, free, strict=True))
    assert result.error == pytest.approx(error)
    assert result.freedom == pytest.approx(freedom)
    assert result.p == pytest.approx(2 * stats.t.sf(abs(result.value) / error, freedom))


def test_equal_spreads_pool_as_students_t_test() -> None:
    seeds = [[0.80, 0.82, 0.84], [0.70, 0.72, 0.74]]
    values = np.repeat(np.array([[np.mean(s)] for s in seeds]), 500, axis=1)
    assert difference(*scores(values, seeds)).p == pytest.approx(stats.ttest_ind(*seeds).pvalue, rel=1e-6)


def test_noise_of_seeds() -> None:
    noise = seed_noise([[0.5, 0.5, 0.5], [0.4, 0.5, 0.6], [0.7]])
    assert all(n is not None for n in noise)
    quiet, loud, single = (n for n in noise if n is not None)
    assert (quiet.variance, quiet.freedom, quiet.pooled) == (pytest.approx(0.005 / 3), 4, True)
    assert (loud.variance, loud.freedom, loud.pooled) == (pytest.approx(0.01 / 3), 2, False)
    assert (single.variance, single.freedom, single.pooled) == (pytest.approx(0.005), 4, True)
    assert seed_noise([[0.5], [0.6]]) == [None, None]
    with_seeds = difference(*scores(answers([0.6, 0.8]), [[0.5, 0.7, 0.6], [0.75, 0.85, 0.8]]))
    assert with_seeds.p > 10 * difference(*scores(answers([0.6, 0.8]))).p, "what seeds share counts"


def test_two_rows_of_two_seeds_have_two_degrees_of_freedom() -> None:
    result = difference(*scores(answers([0.6, 0.8]), [[0.60, 0.61], [0.80, 0.81]]))
    assert result.freedom == 2


def test_equal_rows_do_not_differ() -> None:
    values = answers([0.6])
    assert difference(*scores(np.repeat(values, 2, axis=0))).p == 1.0


def test_few_clusters_say_little() -> None:
    values = np.zeros((2, 40))
    values[1, :3] = 1.0
    assert difference(*scores(values)).p >= 0.25, "three items that differ: no test of signs goes below 1/4"
    assert difference(*scores(values, binary=True)).p == 0.25
    everywhere = difference(*scores(np.stack([np.zeros(4), np.ones(4)])))
    assert everywhere.p == 0.125, "four of four, without any spread"


def test_antisymmetric() -> None:
    a, b = scores(answers([0.55, 0.65]))
    assert difference(a, b).p == difference(b, a).p
    assert difference(a, b).value == -difference(b, a).value
