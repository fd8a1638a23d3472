"""Paired tests and Holm's correction: against SciPy and statsmodels, and by closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vsebench.stats.bootstrap import resampled
from vsebench.stats.compared_metrics import summed
from vsebench.stats.paired_tests import Scores, difference, holm, mcnemar, seed_noise


def scores(values: np.ndarray, seeds: list[list[float]] | None = None, binary: bool = False) -> list[Scores]:
    """Rows whose items are clusters of their own. Shape: values (R, n)"""
    samples = resampled(values.T[:, :, None], np.ones((values.shape[1], 1)))
    noise = seed_noise(seeds or [[float(v.mean())] for v in values])
    return [
        Scores(float(v.mean()), n, samples[:, i], len(v), v[:, None], v if binary else None)
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
    error, freedom = np.sqrt(sum(larger) / 3), 2  # of two rows nothing is known of how far their spreads differ
    assert result.error == pytest.approx(error)
    assert result.freedom == pytest.approx(freedom)
    assert result.p == pytest.approx(2 * stats.t.sf(abs(result.value) / error, freedom))


def test_equal_spreads_pool_as_students_t_test_of_all_rows() -> None:
    seeds = [[0.80, 0.82, 0.84], [0.70, 0.72, 0.74], [0.60, 0.62, 0.64]]
    values = np.repeat(np.array([[np.mean(s)] for s in seeds]), 500, axis=1)
    result = difference(*scores(values, seeds)[:2])
    error = np.sqrt(2 * 0.02**2 / 3)
    assert (result.error, result.freedom, result.seeds) == (pytest.approx(error), pytest.approx(6), 1.0)
    assert result.p == pytest.approx(2 * stats.t.sf(0.1 / error, 6))


def test_noise_of_seeds() -> None:
    noise = seed_noise([[0.5, 0.5, 0.5], [0.4, 0.5, 0.6], [0.7], [0.3, 0.3]])
    assert all(n is not None for n in noise)
    quiet, loud, single, _ = (n for n in noise if n is not None)
    assert (quiet.variance, quiet.freedom, quiet.pooled) == (pytest.approx(0.004 / 3), 5, True)
    assert (loud.variance, loud.freedom, loud.pooled) == (pytest.approx(0.01 / 3), 2, False)
    assert (single.variance, single.freedom, single.pooled) == (pytest.approx(0.004), 5, True)
    assert seed_noise([[0.5], [0.6]]) == [None, None]
    with_seeds = difference(*scores(answers([0.6, 0.8]), [[0.5, 0.7, 0.6], [0.75, 0.85, 0.8]]))
    assert with_seeds.p > 10 * difference(*scores(answers([0.6, 0.8]))).p, "what seeds share counts"


def test_what_seeds_do_to_single_items_counts_once() -> None:
    seeds = [[0.5, 0.5, 0.5], [0.4, 0.5, 0.6], [0.5, 0.5, 0.5]]
    pool = 0.01 / 3
    chance = seed_noise(seeds, [0.003] * 3)
    assert [n and n.pooled for n in chance] == [True] * 3, "0.01 is no more than chance on items makes of 0.003"
    assert [n and (n.variance, n.estimated) for n in chance] == [pytest.approx(((pool - 0.003) / 3, pool / 3))] * 3
    loud = seed_noise(seeds, [0.002] * 3)[1]
    assert loud is not None
    assert (loud.pooled, loud.variance, loud.freedom) == (False, pytest.approx(0.008 / 3), 2)
    assert [n and n.variance for n in seed_noise(seeds, [0.02] * 3)] == [0.0] * 3


def test_the_interaction_of_items_and_seeds_is_that_of_an_analysis_of_variance() -> None:
    values = np.random.default_rng(0).random((3, 40))
    (result,) = summed([], [[[v] for v in values]], [np.arange(40)]).of_items
    apart = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    assert result == pytest.approx((apart**2).sum() / (2 * 39) / 40)
    pairs = summed([], [[[v.repeat(2)] for v in values]], [np.arange(80) // 2]).of_items
    assert pairs == pytest.approx([result]), "two items that are one say no more"


def test_two_rows_of_two_seeds_have_one_degree_of_freedom() -> None:
    result = difference(*scores(answers([0.6, 0.8]), [[0.50, 0.71], [0.70, 0.91]]))
    assert 1 < result.freedom < 1.5


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
