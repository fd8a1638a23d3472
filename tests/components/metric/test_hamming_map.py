"""MAP of codes against every order of the ties, the generic map, libraries, and what it must keep."""

from __future__ import annotations

from dataclasses import replace

import code_predictions as made
import numpy as np
import pytest
import tie_orders as slow
import torch
from torchmetrics.functional.retrieval import retrieval_average_precision

import vsebench.components.metric._codes
from vsebench.components.metric._codes import distances, pack
from vsebench.components.metric._sides import Gallery
from vsebench.components.metric.hamming_map import hamming_map
from vsebench.core.errors import ConfigError, MetricError
from vsebench.core.metric_specs import compute, parse_metrics

DIRECTIONS = ("i2t", "t2i")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [1, 3, 9])
def test_every_order_of_the_ties_by_shared_labels(seed: int, bits: int) -> None:
    p = made.random_predictions(np.random.default_rng(seed), bits=bits)
    result = hamming_map(p)
    for direction in DIRECTIONS:
        apart, good = made.loops(p, direction)
        assert result[f"{direction}/hamming_map"] == pytest.approx(slow.expected(-apart, good, slow.ap))
        level = slow.expected(np.zeros_like(apart), good, slow.ap)
        assert result[f"{direction}/chance/hamming_map"] == pytest.approx(level)
        skipped = int((good.sum(1) == 0).sum())
        assert result.get(f"{direction}/skipped/hamming_map", 0) == skipped


@pytest.mark.parametrize("seed", range(3))
def test_every_order_of_the_ties_by_class_with_several_captions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = made.predictions(
        rng.integers(0, 3, 4),
        rng.integers(0, 3, 5),
        image=made.codes(rng, 4, 4),
        text=made.codes(rng, 4, 4),
        gallery_image=made.codes(rng, 5, 4),
        gallery_text=made.codes(rng, 7, 4),
        gallery_owner=np.array([0, 1, 2, 3, 4, 0, 3]),
    )
    result = hamming_map(p)
    for direction in DIRECTIONS:
        apart, good = made.loops(p, direction)
        assert result[f"{direction}/hamming_map"] == pytest.approx(slow.expected(-apart, good, slow.ap))


@pytest.mark.parametrize("seed", range(4))
def test_stable_is_the_gallerys_order(seed: int) -> None:
    p = made.random_predictions(np.random.default_rng(seed), queries=20, gallery=40, bits=4)
    result = hamming_map(p, variant="stable")
    for direction in DIRECTIONS:
        apart, good = made.loops(p, direction)
        values = []
        for row, marks in zip(apart.tolist(), good.tolist(), strict=True):
            if any(marks):
                values.append(slow.ap([marks[i] for i in sorted(range(len(row)), key=lambda i: row[i])]))
        assert result[f"{direction}/hamming_map:stable"] == pytest.approx(np.mean(values))


def test_the_two_variants_differ_where_ties_do() -> None:
    """One bit, one match: first or last of three tied items by the gallery's order, 11/18 in expectation."""
    here = np.ones((1, 1), np.float32)
    for place, stable in ((0, 1.0), (2, 1 / 3)):
        ranked_gallery = np.zeros((3, 2), np.int64)
        ranked_gallery[:, 1] = 1
        ranked_gallery[place] = [1, 0]
        query = np.array([[1, 0]])
        three = np.ones((3, 1), np.float32)
        p = made.predictions(query, ranked_gallery, image=here, text=here, gallery_image=three, gallery_text=three)
        assert hamming_map(p)["i2t/hamming_map"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
        assert hamming_map(p, variant="stable")["i2t/hamming_map:stable"] == pytest.approx(stable)


@pytest.mark.parametrize("bits", [7, 64, 65, 130, 300])
def test_it_is_the_generic_map(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    p = made.random_predictions(np.random.default_rng(bits), queries=30, gallery=200, bits=bits, classes=40)
    generic = compute(p, parse_metrics(["map"]))
    result = hamming_map(p)
    monkeypatch.setattr(vsebench.components.metric._codes, "COLUMNS", 17)  # the gallery in pieces
    pieces, in_order = hamming_map(replace(p, _counts={})), hamming_map(replace(p, _counts={}), variant="stable")
    assert pieces == result
    for direction in DIRECTIONS:
        assert result[f"{direction}/hamming_map"] == pytest.approx(generic[f"{direction}/map"], rel=1e-12)
    monkeypatch.undo()
    assert hamming_map(p, variant="stable") == in_order


def test_without_ties_it_is_that_of_torchmetrics() -> None:
    """Item i of the gallery is at distance order[i]; torchmetrics drops what scores <= 0, so that all are above."""
    rng = np.random.default_rng(0)
    order = rng.permutation(40)
    gallery = np.where(np.arange(40)[None, :] < order[:, None], -1, 1).astype(np.float32)
    ranked_gallery = made.labels(rng, 40, 3)
    query = np.ones((1, 40), np.float32)
    p = made.predictions(
        np.array([[1, 1, 0]]), ranked_gallery, image=query, text=query, gallery_image=gallery, gallery_text=gallery
    )
    good = torch.from_numpy(ranked_gallery[:, 0] | ranked_gallery[:, 1]).bool()
    message = float(retrieval_average_precision(torch.from_numpy(50.0 - order), good))
    assert hamming_map(p)["t2i/hamming_map"] == pytest.approx(message, abs=1e-6)
    assert hamming_map(p, variant="stable")["t2i/hamming_map:stable"] == pytest.approx(message, abs=1e-6)


def test_a_byte_of_which_all_bits_differ_is_at_distance_8() -> None:
    """A table of 8-bit numbers of ones that is indexed by y + 1 says 7 (methods 9)."""
    ones, others = np.ones((1, 8), np.float32), -np.ones((1, 8), np.float32)
    assert distances(pack(ones), pack(others), 8)[0, 0] == 8
    seven = others.copy()
    seven[0, 3] = 1
    gallery = np.concatenate([others, seven])  # the match is 7 bits away, the other item 8
    p = made.predictions(
        np.array([[1, 0]]),
        np.array([[0, 1], [1, 0]]),
        image=ones,
        text=ones,
        gallery_image=gallery,
        gallery_text=gallery,
    )
    assert hamming_map(p)["i2t/hamming_map"] == 1.0


@pytest.mark.parametrize("bits", [1, 8, 63, 64, 100, 256, 300])
def test_packed_distances_are_half_of_bits_less_the_inner_product(bits: int) -> None:
    rng = np.random.default_rng(bits)
    a, b = made.codes(rng, 20, bits), made.codes(rng, 30, bits)
    a[0], b[0] = 1, -1
    assert pack(a).dtype == np.uint64
    np.testing.assert_array_equal(distances(pack(a), pack(b), bits), (bits - a @ b.T) / 2)
    assert distances(pack(a), pack(b), bits)[0, 0] == bits


def test_random_codes_reach_the_share_of_matching_pairs() -> None:
    p = made.random_predictions(np.random.default_rng(0), queries=200, gallery=2_000, bits=64)
    for direction in DIRECTIONS:
        _, good = p.code_pairs(direction), p.distance_counts(direction)
        share = float(np.mean(good.relevant.sum(1)[good.with_relevant] / 2_000))
        assert hamming_map(p)[f"{direction}/hamming_map"] == pytest.approx(share, abs=0.01)
        assert hamming_map(p)[f"{direction}/chance/hamming_map"] == pytest.approx(share, abs=0.005)


def test_a_constant_code_reaches_chance_exactly() -> None:
    rng = np.random.default_rng(1)
    same = np.ones((40, 16), np.float32)
    p = made.predictions(
        made.labels(rng, 40, 4), made.labels(rng, 40, 4), image=same, text=same, gallery_image=same, gallery_text=same
    )
    result = hamming_map(p)
    assert result["i2t/hamming_map"] == pytest.approx(result["i2t/chance/hamming_map"], rel=1e-12)


def test_the_order_of_the_gallery_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    p = made.random_predictions(rng, queries=20, gallery=300, bits=8)
    order = rng.permutation(300)
    ranked_gallery = p.ranked_gallery
    moved = Gallery(
        ranked_gallery.labels[order],
        {m: v[order] for m, v in ranked_gallery.embeddings.items()},
        np.arange(300),
        ranked_gallery.groups,
    )
    assert hamming_map(replace(p, gallery=moved, _counts={})) == pytest.approx(hamming_map(p), rel=1e-12)


def test_perfect_codes_reach_1_and_opposite_ones_little() -> None:
    query = np.eye(4, dtype=np.int64)
    code = np.where(np.eye(4) > 0, 1, -1).astype(np.float32)
    p = made.predictions(query, query, image=code, text=code, gallery_image=code, gallery_text=code)
    assert hamming_map(p)["i2t/hamming_map"] == hamming_map(p)["t2i/hamming_map"] == 1.0
    p = made.predictions(query, query, image=code, text=code, gallery_image=-code, gallery_text=-code)
    assert hamming_map(p)["i2t/hamming_map"] == pytest.approx(0.25, rel=1e-12)


def test_a_split_against_itself() -> None:
    rng = np.random.default_rng(3)
    image, text = made.codes(rng, 6, 3), made.codes(rng, 6, 3)
    p = made.predictions(rng.integers(0, 3, 6), None, image=image, text=text)
    apart, good = made.loops(p, "t2i")
    assert hamming_map(p)["t2i/hamming_map"] == pytest.approx(slow.expected(-apart, good, slow.ap))


def test_what_is_refused() -> None:
    rng = np.random.default_rng(0)
    p = made.random_predictions(rng)
    wrong = {m: v.copy() for m, v in p.embeddings.items()}
    wrong["text"][2, 1] = np.nan
    with pytest.raises(MetricError, match="text embeddings of 1 items are NaN or infinite; the first is item 2"):
        replace(p, embeddings=wrong)
    wrong["text"][2, 1] = 0
    with pytest.raises(MetricError, match="ranked by Hamming distance are −1 and \\+1; item 2 has others"):
        replace(p, embeddings=wrong)
    bad = replace(
        p.ranked_gallery, embeddings={**p.ranked_gallery.embeddings, "image": np.full((7, 3), np.inf, np.float32)}
    )
    with pytest.raises(MetricError, match="the gallery's image embeddings of 7 items are NaN"):
        replace(p, gallery=bad)
    with pytest.raises(MetricError, match="no query of i2t has a relevant item"):
        hamming_map(replace(p, labels=np.zeros_like(p.labels)))
    with pytest.raises(ConfigError, match="'hamming_map' or 'hamming_map:stable'"):
        parse_metrics(["hamming_map@5"])


def test_a_system_without_codes_has_no_such_number() -> None:
    rng = np.random.default_rng(0)
    p = made.random_predictions(rng)
    assert compute(replace(p, similarity="cosine"), parse_metrics(["hamming_map", "hamming_lookup@{0,2}"])) == {}
    assert "i2t/hamming_map" in compute(p, parse_metrics(["hamming_map"]))
