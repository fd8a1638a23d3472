"""Queries are chosen by the stored ranks, and what is framed belongs to them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vsebench.core.errors import DataError
from vsebench.engine.evaluate import predict, predictions_of
from vsebench.engine.loader import Loader
from vsebench.inspect.examples import Query, Thing, make_examples
from vsebench.inspect.examples_page import _query, page
from vsebench.runs.load import LoadedRun
from vsebench.runs.predictions import load_predictions

pytestmark = pytest.mark.slow
RunOf = Callable[[str], LoadedRun]


@pytest.mark.parametrize("row", ["plain", "dan_m", "t2i", "again"])
def test_results_are_those_of_evaluation(run_of: RunOf, row: str) -> None:
    run = run_of(row)
    gallery, dataset = make_examples(run, queries=100, k=4)
    assert not gallery.notes
    stored = load_predictions(run.folder, "test")
    loader = Loader(dataset, "test", run.system, run.model.encoders)
    outputs = predict(run.model, loader, device=run.device)
    predictions = predictions_of(outputs, loader, run.model, device=run.device)
    captions = [
        (dataset.ids[int(stored.positions[o])], dataset.texts(int(stored.positions[o]))[n])
        for o, n in zip(stored.owner, stored.caption_numbers(), strict=True)
    ]
    assert len(set(captions)) == len(captions)
    ids = [dataset.ids[int(p)] for p in stored.positions]
    group = {name: int(dataset.groups[dataset.ids.index(name)]) for name in ids}
    for direction in ("i2t", "t2i"):
        scores = predictions.score_rows(direction)(slice(None))
        for query in gallery.queries[direction]["best"]:
            thing = query.thing
            number = ids.index(thing.id) if direction == "i2t" else captions.index((thing.id, thing.text))
            order = np.argsort(-scores[number], kind="stable")
            gallery_items = captions if direction == "i2t" else [(name, None) for name in ids]
            for hit in query.results:
                name, text = gallery_items[order[hit.rank - 1]]
                assert hit.thing.id == name
                assert text is None or hit.thing.text == text
                assert hit.right == (group[name] == group[thing.id])
            assert [f.rank for f in query.results][:4] == [1, 2, 3, 4]
            assert sum(f.right for f in query.results) >= 1
            if len(query.results) == 5:
                assert not any(f.right for f in query.results[:4])
                at = int(np.flatnonzero(stored.queries(direction) == number)[0])
                above, tied = stored.stored_ranks[direction].above[at], stored.stored_ranks[direction].tied[at]
                assert above < query.results[4].rank <= above + tied
                assert above < query.rank <= above + tied


def test_best_and_worst_by_the_stored_ranks(run_of: RunOf) -> None:
    run = run_of("t2i")
    gallery, _ = make_examples(run, queries=3)
    stored = load_predictions(run.folder, "test")
    for direction in ("i2t", "t2i"):
        first = np.sort(stored.stored_ranks[direction].first())
        kinds = gallery.queries[direction]
        assert [q.rank for q in kinds["best"]] == first[:3].tolist()
        assert [q.rank for q in kinds["worst"]] == first[::-1][:3].tolist()
        assert gallery.sizes[direction] == (len(first), stored.stored_ranks[direction].gallery)
    assert not gallery.items


def test_a_seed_makes_a_page(run_of: RunOf) -> None:
    pages = [page(*make_examples(run_of("again"), queries=4, seed=seed)) for seed in (0, 0, 1)]
    assert pages[0] == pages[1]
    assert pages[0] != pages[2]


def test_right_results_are_framed_and_captions_escaped(run_of: RunOf) -> None:
    gallery, dataset = make_examples(run_of("plain"), queries=12)
    message = page(gallery, dataset)
    framed = re.findall(r'<li class="right" value="(\d+)"><figure>.*?<small>(.*?)</small>', message)
    wanted = [
        (str(hit.rank), hit.thing.id)
        for kinds in gallery.queries.values()
        for queries in kinds.values()
        for query in queries
        for hit in query.results
        if hit.right
    ]
    assert framed == wanted
    assert wanted
    assert "&lt;b&gt;thing&lt;/b&gt; &amp; more" in message
    assert "<b>thing" not in message
    assert "<script" not in message
    assert message.count("<img") == message.count('alt="')
    for anchor in re.findall(r'href="#(.*?)"', message):
        assert f'id="{anchor}"' in message
    rank = f"{gallery.queries['i2t']['worst'][0].rank:.4g}"
    assert f"rank <b>{rank}</b> of" in message


def test_a_page_begins_with_what_the_run_is_for(run_of: RunOf) -> None:
    gallery, dataset = make_examples(run_of("plain"), queries=1, k=1)
    assert not gallery.classifies, "its epoch is chosen by recall"
    text = page(gallery, dataset)
    assert "<h1>What the model finds</h1>" in text
    assert text.index('id="i2t-best"') < text.index('id="classes-best"')
    text = page(replace(gallery, classifies=True), dataset)
    assert "<h1>What the model predicts</h1>" in text
    assert text.index('id="classes-best"') < text.index('id="i2t-best"')


@pytest.mark.parametrize(("rank", "shown"), [(7.0, "7"), (7.25, "7.25"), (999.5, "999.5"), (12345.0, "12,345")])
def test_ranks_in_large_galleries_are_written_out(rank: float, shown: str) -> None:
    query = Query(Thing("x", 0, "a text"), rank, ())
    assert f"at rank <b>{shown}</b> of 29,000" in _query(query, "t2i", 29_000, lambda _: "")


def test_classes_of_items(run_of: RunOf) -> None:
    run = run_of("plain")
    gallery, dataset = make_examples(run, queries=100)
    stored = load_predictions(run.folder, "test")
    logits = stored.logits.astype(float)  # type: ignore[union-attr]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = dataset.label_names
    by_id = {dataset.ids[int(p)]: i for i, p in enumerate(stored.positions)}
    chances = []
    for item in gallery.items["best"]:
        row = by_id[item.thing.id]
        assert item.true == [(names[stored.labels[row]], pytest.approx(shares[row, stored.labels[row]]))]
        assert item.predicted == [(names[shares[row].argmax()], pytest.approx(shares[row].max()))]
        assert item.right == (shares[row].argmax() == stored.labels[row])
        chances.append(item.true[0][1])
    assert chances == sorted(chances, reverse=True)
    assert gallery.items["worst"][0].thing.id == gallery.items["best"][-1].thing.id
    message = page(replace(gallery, queries={}), dataset)
    assert message.count("✓ right") == sum(i.right for kind in gallery.items.values() for i in kind)


def test_other_splits_and_changed_runs(run_of: RunOf, tmp_path: Path) -> None:
    run = run_of("plain")
    assert "val, 12 items" in make_examples(run, "val")[0].about
    with pytest.raises(DataError, match="no predictions of a split 'train'.*: test, val"):
        make_examples(run, "train")
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    with np.load(copy / "predictions-test.npz") as archive:
        arrays = dict(archive)
    np.savez(copy / "predictions-test.npz", **{**arrays, "i2t/above": arrays["i2t/above"] + 1})
    moved = make_examples(replace(run, folder=copy), queries=100)[0]
    message = f"12 of the {12 + len(arrays['owner'])} queries rank otherwise when computed again here"
    assert moved.notes == [f"{message}; their stored rank is shown."]
    np.savez(copy / "predictions-test.npz", **{**arrays, "owner": np.roll(arrays["owner"], 1)})
    with pytest.raises(DataError, match="no longer in the order"):
        make_examples(replace(run, folder=copy))
    bare = {name: values for name, values in arrays.items() if "/" not in name and name != "logits"}
    np.savez(copy / "predictions-test.npz", **bare)
    with pytest.raises(DataError, match="neither ranks nor classes"):
        make_examples(replace(run, folder=copy))
