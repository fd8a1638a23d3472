"""Rank groups: what they are, that they hold their level, and that they do not depend on anything but the items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from null_simulation import Null, detected, drop_of, false_groups, null_table
from outcome_boards import CLUSTERS, ITEMS, made_up
from scipy import stats

from vsebench.runs.item_scores import ItemScores
from vsebench.stats.compared_metrics import Measure, measures, summed, sums
from vsebench.stats.paired_tests import Difference, comparisons
from vsebench.stats.rank_groups import Comparisons, compare, decided, grouped, place
from vsebench.stats.rows import views

ACCURACY = Measure("accuracy", "accuracy")
ROWS = {"best": 0.85, "second": 0.83, "third": 0.55, "fourth": 0.54, "last": 0.2}


def test_rows_that_do_not_differ_share_a_group() -> None:
    board, item_scores = made_up(ROWS)
    result = compare(board, item_scores, "systems", ACCURACY)
    assert result is not None
    assert {name: s.group for name, s in result.ranked_rows.items()} == {
        "best": 1, "second": 1, "third": 2, "fourth": 2, "last": 3,
    }  # fmt: skip
    assert [s.status for s in result.ranked_rows.values()] == ["leading"] * 2 + ["worse"] * 3
    assert result.leader == "best"
    assert (result.clusters, result.seeds) == (ITEMS // 2, 3)
    best, third = result.ranked_rows["best"], result.ranked_rows["third"]
    assert best.p is None
    assert best.between is None
    for name, ranked_row in result.ranked_rows.items():
        values = [
            item_scores.right["accuracy"][run].mean()
            for run in next(r for r in board.rows if r.name == name).runs.values()
        ]
        assert ranked_row.value == pytest.approx(np.mean(values))
        assert ranked_row.difference == pytest.approx(ranked_row.value - best.value)
        assert ranked_row.interval.low < ranked_row.value < ranked_row.interval.high
    assert third.p is not None
    assert third.p < 0.001
    assert third.between is not None
    assert third.between.low < third.difference < third.between.high < 0


def test_scores_are_summed_over_clusters_and_seeds() -> None:
    board, item_scores = made_up(ROWS)
    rows = views(board, "systems")
    for measure in measures(board, "systems"):
        result = sums(rows, item_scores, measure)
        assert result is not None
        for at, row in enumerate(rows):
            for part in range(result.total.shape[-1]):
                expected = np.zeros(ITEMS // 2)
                way = ("i2t", "t2i")[part]
                for r in row.results:
                    if measure.depths:
                        ranks, requested = item_scores.ranks[way][r.run_id], item_scores.query_items[way]
                        for query in range(len(requested)):
                            hits = [ranks.hit(k)[query] for k in (1, 5, 10)]
                            expected[CLUSTERS[requested[query]]] += sum(hits) / 3 / 3
                    else:
                        for item in range(ITEMS):
                            expected[CLUSTERS[item]] += item_scores.right["accuracy"][r.run_id][item] / 3
                assert result.total[:, at, part] == pytest.approx(expected)


def test_recall_is_compared_by_the_mean_of_its_columns() -> None:
    board, item_scores = made_up(ROWS)
    result = Comparisons(board, item_scores)
    assert list(result) == [("systems", "accuracy"), ("systems", "recall")]
    recall = result["systems", "recall"]
    assert recall.measure.title == "mean R@1/5/10 of both directions"
    for row in views(board, "systems"):
        keys = [f"test/{way}/recall@{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)]
        mean = np.mean([r.metrics[key] for r in row.results for key in keys])
        assert recall.ranked_rows[row.row.name].value == pytest.approx(mean)


def test_the_order_of_items_changes_nothing_but_the_samples() -> None:
    board, item_scores = made_up(ROWS, ranked=False)
    order = np.random.default_rng(0).permutation(ITEMS)
    moved = ItemScores(
        item_scores.fingerprint,
        item_scores.positions[order],
        item_scores.clusters[order],
        {"accuracy": {run: v[order] for run, v in item_scores.right["accuracy"].items()}},
    )
    a, b = (compare(board, o, "systems", ACCURACY) for o in (item_scores, moved))
    assert a is not None
    assert b is not None
    assert a == b, "clusters stay in their order"
    renamed = replace(moved, clusters=(ITEMS - moved.clusters) * 3)
    c = compare(board, renamed, "systems", ACCURACY)
    assert c is not None
    for name, ranked_row in a.ranked_rows.items():
        assert c.ranked_rows[name].group == ranked_row.group
        assert c.ranked_rows[name].interval.low == pytest.approx(ranked_row.interval.low, abs=0.01)


def test_rows_without_outcomes_are_left_out() -> None:
    board, item_scores = made_up(ROWS, ranked=False)
    gone = next(iter(board.rows[0].runs.values()))
    right = {run: v for run, v in item_scores.right["accuracy"].items() if run != gone}
    result = compare(board, replace(item_scores, right={"accuracy": right}), "systems", ACCURACY)
    assert result is not None
    assert result.leader == "second"
    assert "best" not in result.ranked_rows
    assert compare(board, replace(item_scores, right={}), "systems", ACCURACY) is None
    assert compare(board, item_scores, "sweep", ACCURACY) is None


def test_one_seed_is_mcnemar_for_each_row() -> None:
    board, item_scores = made_up({"a": 0.8, "b": 0.7, "c": 0.3}, seeds=1, ranked=False)
    item_scores = replace(item_scores, clusters=np.arange(ITEMS))
    result = compare(board, item_scores, "systems", ACCURACY)
    assert result is not None
    a, b, c = (item_scores.right["accuracy"][row.runs["0"]] for row in board.rows)
    plain = [stats.binomtest(int((x > a).sum()), int((x != a).sum())).pvalue for x in (b, c)]
    assert [result.ranked_rows[n].p for n in "bc"] == pytest.approx([min(1.0, 2 * p) for p in plain])


def test_groups_by_hand() -> None:
    values = [0.9, 0.88, 0.7, 0.95, 0.69]

    def test(i: int, j: int) -> Difference:
        value = values[i] - values[j]
        return Difference(value, 0.01, 100.0, 1e-6 if abs(value) > 0.04 else 0.5)

    assert grouped(5, test) == [1, 1, 2, 1, 2], "what is better than the leader is not worse than it"
    assert grouped(1, test) == [1]
    assert grouped(5, test, 1e-9) == [1, 1, 1, 1, 1], "a level so small that nothing is shown"


def test_the_correction_lies_between_half_the_other_rows_and_all_pairs() -> None:
    assert [comparisons(rows, 0.0) for rows in (1, 2, 3, 4, 5, 10)] == pytest.approx([1, 1, 2, 3, 3, 4.5])
    assert [comparisons(rows, 1.0) for rows in (2, 3, 10, 100)] == pytest.approx([1, 3, 45, 4950])
    between = [comparisons(10, share) for share in np.linspace(0, 1, 11)]
    assert between == sorted(between)


def test_not_shown_to_be_worse_is_not_good() -> None:
    far, near, sure = (Difference(v, 1.0, 9.0, p) for v, p in ((-0.6, 0.2), (-0.01, 0.9), (-0.02, 1e-6)))
    tests = {(1, 0): far, (2, 0): sure, (3, 0): near}
    assert decided([3.66, 3.06, 3.44, 3.65], [1, 1, 2, 1], tests) == [1, None, 2, 1], "3.44 is worse, and above 3.06"
    assert decided([3.66, 3.06], [1, 1], tests) == [1, 1], "nothing says more of it"
    alone = {(1, 0): Difference(-0.1, 0.04, 50.0, 0.03), (2, 0): Difference(0.1, 0.04, 50.0, 0.03)}
    assert decided([0.9, 0.8, 1.0], [1, 1, 1], alone) == [1, None, 1], "undecided is what only the correction spares"


def test_status_of_a_row_whose_seeds_disagree() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(300)
    shares = [[0.92, 0.91, 0.92], *[[0.90, 0.91, 0.91]] * 7, [0.69, 0.80, 0.56], [0.71, 0.70, 0.72]]
    answers = [[(hard < s).astype(float) for s in seeds] for seeds in shares]
    ranked_rows, _ = place(summed([], [[[a] for a in seeds] for seeds in answers], [np.arange(300)]))
    assert [r.status for r in ranked_rows] == ["leading"] * 8 + ["undecided", "worse"]
    assert [r.group for r in ranked_rows] == [1] * 8 + [None, 2]


@pytest.mark.parametrize("seeds", [1, 3])
def test_rows_that_agree_everywhere_resolve_no_less_than_a_test_of_signs(seeds: int) -> None:
    board, item_scores = made_up({"a": 0.8, "b": 0.7}, seeds=seeds, ranked=False)
    same = {run: np.ones(ITEMS) for run in item_scores.right["accuracy"]}
    result = compare(board, replace(item_scores, right={"accuracy": same}), "systems", ACCURACY)
    assert result is not None
    assert result.resolvable is not None
    differing = result.resolvable * result.clusters
    assert stats.poisson.sf(5, differing) == pytest.approx(0.8), "2^(1 - 6) is the first below 5 %"
    between = result.ranked_rows["b"].between
    assert between is not None
    assert between.high == pytest.approx(-between.low)
    assert between.high * result.clusters == pytest.approx(stats.t.ppf(0.975, result.clusters - 1))


def test_what_can_be_resolved_is_found_in_four_of_five() -> None:
    generator = np.random.default_rng(0)
    base = Null(rows=2, seeds=1, clusters=400)
    errors = []
    for _ in range(20):
        table, _ = null_table(base, generator)
        errors.append(place(table, resamples=300)[1][0])
    size = float(np.median([d.quantile(0.975) + d.quantile(0.8) for d in errors]))
    result = 0
    for _ in range(200):
        table, _ = null_table(base, generator)
        lose = (generator.random(400) < size / table.total[:, 1, 0].mean()) & (table.total[:, 1, 0] > 0)
        total = table.total.copy()
        total[lose, 1, 0] = 0.0
        result += place(replace(table, total=total, binary=[None, None]), resamples=300)[1][0].p <= 0.05
    assert 0.7 < result / 200 < 0.9


def test_rows_that_are_equally_good_share_a_group_quickly() -> None:
    assert false_groups(Null(rows=5, seed_spread=0.3, clusters=80), 200, resamples=300, seed=1) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    "null",
    [
        Null(),
        Null(seeds=1),
        Null(views=3),
        Null(seeds=1, views=3),
        Null(seed_spread=0.3, rows=12),
        Null(seed_spread=1.0, rows=12),
        Null(seed_spread=0.5, unequal=0.7, rows=12),
        Null(seed_spread=0.5, rows=20, seeds=2),
        Null(seed_spread=1.0, rows=2, seeds=2),
        Null(seed_spread=1.0, unequal=1.0, rows=2),
        Null(seed_spread=0.2, rows=3, clusters=300, taste=0.0),
        Null(seed_spread=0.15, rows=10, clusters=300, taste=0.0),
        Null(level=3.0, clusters=60, seeds=1),
    ],
    ids=str,
)
def test_false_groups_in_at_most_5_percent_of_1000_tables(null: Null) -> None:
    assert false_groups(null, 1000, resamples=300) <= 0.05


@pytest.mark.slow
def test_five_points_among_ten_rows_are_found_in_a_third_of_the_tables() -> None:
    base = Null(rows=10, clusters=300, taste=0.0, level=1.5)
    worse, alone = detected(replace(base, drop=drop_of(5, base)), 400, resamples=300)
    assert 0.7 < alone < 0.8, "what a test of this one pair would find"
    assert worse >= 0.35


def test_the_simulation_can_fail() -> None:
    generator = np.random.default_rng(0)
    table, _ = null_table(Null(rows=4, clusters=200), generator)
    total = table.total.copy()
    total[:60, 2] = 0.0
    assert [s.status for s in place(replace(table, total=total), resamples=300)[0]].count("worse") == 1
