"""Resampling of clusters: against a slow loop, SciPy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vsebench.components.metric.base import Predictions
from vsebench.core import metric_specs
from vsebench.core.metric_specs import parse_metrics
from vsebench.stats import bootstrap
from vsebench.stats.bootstrap import centred_interval, draws, near_edge, percentile_interval, ratios, resampled
from vsebench.stats.intervals import wilson_interval


def table(seed: int = 0, clusters: int = 40, rows: int = 3, parts: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of 1 to 4 items, right or wrong."""
    generator = np.random.default_rng(seed)
    count = generator.integers(1, 5, size=(clusters, parts)).astype(float)
    total = generator.binomial(count[:, None].astype(int), 0.7, size=(clusters, rows, parts)).astype(float)
    return total, count


def test_equals_a_slow_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    total, count = table()
    result = resampled(total, count, resamples=50, seed=3)
    generator = np.random.default_rng(3)
    for sample in range(50):
        drawn = generator.integers(40, size=40)
        for row in range(3):
            shares = [sum(total[c, row, p] for c in drawn) / sum(count[c, p] for c in drawn) for p in range(2)]
            assert result[sample, row] == pytest.approx(sum(shares) / 2, abs=1e-12)
    monkeypatch.setattr(bootstrap, "HELD", 0)
    assert np.array_equal(resampled(total, count, resamples=50, seed=3), result), "drawn again"
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 8 * 40 * 7)  # in blocks of seven: the same samples
    assert np.array_equal(resampled(total, count, resamples=50, seed=3), result)


def test_ratios_are_means_over_items() -> None:
    total, count = table()
    expected = np.mean([total[:, :, p].sum(0) / count[:, p].sum() for p in range(2)], axis=0)
    assert ratios(total, count) == pytest.approx(expected, abs=1e-12)


def test_the_interval_is_scipys() -> None:
    values = np.random.default_rng(1).random(120) ** 2
    low, high = percentile_interval(resampled(values[:, None, None], np.ones((120, 1))))
    other = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2))
    assert low[0] == pytest.approx(other.confidence_interval.low, abs=0.003)
    assert high[0] == pytest.approx(other.confidence_interval.high, abs=0.003)
    assert high[0] - low[0] > 0.05, "so that the tolerance means something"


def test_clusters_widen_the_interval() -> None:
    right = (np.random.default_rng(0).random(500) < 0.7).astype(float)
    together = percentile_interval(resampled(4 * right[:, None, None], np.full((500, 1), 4.0)))
    apart = percentile_interval(resampled(np.repeat(right, 4)[:, None, None], np.ones((2000, 1))))
    ratio = (together[1] - together[0]) / (apart[1] - apart[0])
    assert ratio[0] == pytest.approx(2, rel=0.05), "four views that fail together are one item"


def test_the_same_numbers_every_time_and_every_row_on_the_same_samples() -> None:
    total, count = table()
    assert np.array_equal(resampled(total, count), resampled(total, count))
    both = resampled(np.concatenate([total, total], axis=1), count)
    assert np.array_equal(both[:, :3], both[:, 3:])
    assert not np.array_equal(resampled(total, count), resampled(total, count, seed=1))


def test_the_order_of_items_does_not_matter() -> None:
    total, count = table(clusters=300)
    order = np.random.default_rng(5).permutation(300)
    a, b = (percentile_interval(resampled(t, c)) for t, c in ((total, count), (total[order], count[order])))
    assert np.allclose(a, b, atol=0.003)
    assert np.array_equal(ratios(total, count), ratios(total[order], count[order]))


def test_wilson_is_scipys_and_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for right, count in ((0, 30), (2, 50), (49, 50), (30, 30), (180, 200)):
        result = wilson_interval(right / count, count)
        other = stats.binomtest(right, count).proportion_ci(method="wilson")
        assert result == pytest.approx((other.low, other.high), abs=1e-14)
        assert result == pytest.approx(proportion_confint(right, count, method="wilson"), abs=1e-9)


def few_of_a_class(generator: np.random.Generator) -> Predictions:
    """60 items of three classes, the rarest with six of them or so; logits that are right to a degree."""
    labels = generator.choice(3, size=60, p=[0.6, 0.3, 0.1])
    logits = 2.5 * np.eye(3)[labels] + 1.5 * generator.standard_normal((60, 3))
    return Predictions(logits.astype(np.float32), labels)


def test_intervals_of_average_precision_with_rare_classes_hold_what_they_should() -> None:
    """95 % to what 200 tables can tell: two standard errors are three points."""
    generator, metrics, once = (
        np.random.default_rng(0),
        parse_metrics(["average_precision"]),
        np.ones((60, 1), np.int32),
    )
    counts = [np.concatenate([once, *draws(np.arange(60), resamples=200, seed=seed)], axis=1) for seed in range(200)]
    tables = [metric_specs.resampled(few_of_a_class(generator), metrics, times) for times in counts]
    more = [metric_specs.resampled(few_of_a_class(generator), metrics, once) for _ in range(300)]
    for key in ("average_precision", "average_precision/weighted"):
        value, *samples = np.stack([table[key] for table in tables], axis=1)
        expected = float(np.mean([*value, *(table[key][0] for table in more)]))
        low, high = centred_interval(value, np.stack(samples), share=True, clusters=60)
        assert 0.92 <= np.mean((low <= expected) & (expected <= high)) <= 0.98, key
    plain_low, plain_high = percentile_interval(np.stack(samples))
    assert np.mean((plain_low <= expected) & (expected <= plain_high)) < 0.92, "resampling itself raises the number"


def test_intervals_of_shares_mirror_and_stay_inside() -> None:
    samples = np.random.default_rng(0).beta(18, 2, size=(500, 3))
    value = np.array([0.9, 0.95, 0.7])
    low, high = centred_interval(value, samples, share=True, clusters=100)
    other_low, other_high = centred_interval(1 - value, 1 - samples, share=True, clusters=100)
    assert other_low == pytest.approx(1 - high)
    assert other_high == pytest.approx(1 - low)
    assert ((low > 0) & (low < value) & (value < high) & (high < 1)).all()
    all_right = centred_interval(np.array([0.9]), np.ones((50, 1)), share=True, clusters=100)
    assert np.isfinite(all_right).all()


def test_near_an_edge() -> None:
    count = np.full((50, 1), 2.0)
    total = np.full((50, 4, 1), 1.0)
    total[:, 0] = 2.0  # all right
    total[:, 1] = 0.0  # all wrong
    total[:9, 2], total[9:, 2] = 1.5, 2.0  # nine clusters lack some
    assert near_edge(total, count).tolist() == [True, True, True, False]


def test_wilsons_interval_holds_the_share_itself() -> None:
    for count in range(1, 200):
        for share in (0.0, 1.0, 1 / 3):
            low, high = wilson_interval(share, count)
            assert 0 <= low <= share <= high <= 1
