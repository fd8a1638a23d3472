"""The first hits ranked again by a scorer of pairs, as evaluation ranks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from galleries import gallery, home, run_of

from vsebench.core.errors import ConfigError, QueryError
from vsebench.engine.evaluate import predict
from vsebench.engine.loader import Loader
from vsebench.engine.pair_scoring import score_pairs
from vsebench.retrieval.build import embed_split
from vsebench.retrieval.searcher import Searcher

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(home() / "home"))


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher.load(gallery(row="again"))


def test_scores_are_those_of_evaluation(searcher: Searcher) -> None:
    run = run_of("again")
    dataset = run.open_dataset()
    loader = Loader(dataset, "test", run.system, run.model.encoders)
    outputs = predict(run.model, loader, device=torch.device("cpu"))
    pairs = score_pairs(
        run.model.scorer, outputs.pair_inputs["image"], outputs.pair_inputs["text"], device=torch.device("cpu")
    )  # type: ignore[arg-type]
    for row, position in list(enumerate(loader.positions))[:4]:
        text = dataset.texts(int(position))[0]
        hits = searcher.search(text=text, k=len(searcher), rerank=len(searcher))
        assert [hit.rank for hit in hits] == list(range(1, len(searcher) + 1))
        assert np.allclose([hit.score for hit in hits], np.sort(pairs[:, row])[::-1], atol=1e-4)
        assert np.allclose([pairs[hit.row, row] for hit in hits], [hit.score for hit in hits], atol=1e-4)
        # Of the three nearest, no other comes in.
        nearest = {hit.row for hit in searcher.search(text=text, k=3)}
        assert {hit.row for hit in searcher.search(text=text, k=3, rerank=3)} == nearest
        assert searcher.search(text=text, k=1, rerank=3)[0].row == max(nearest, key=lambda r: pairs[r, row])


def test_captions_are_ranked_by_pictures() -> None:
    searcher = Searcher.load(gallery("text", row="again"))
    run = run_of("again")
    dataset = run.open_dataset()
    picture = dataset.image_bytes(int(dataset.splits["test"][0]))
    hits = searcher.search(image=picture, k=3, rerank=10)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    with pytest.raises(QueryError, match="this gallery is of texts too"):
        searcher.search(text="a dress", rerank=2)


def test_what_cannot_be_ranked_again(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="rerank must be at least 1"):
        searcher.search(text="a dress", rerank=0)
    with pytest.raises(QueryError, match="has no scorer of pairs"):
        Searcher.load(gallery()).search(text="a dress", rerank=5)


def test_inner_products_are_not_indexed(tmp_path: Path) -> None:
    run = run_of("both")
    object.__setattr__(run, "model", run.model)
    run.model.system = run.system.model_copy(update={"similarity": "dot"})
    object.__setattr__(run, "system", run.model.system)
    with pytest.raises(ConfigError, match="ranks by dot; indexes hold vectors of unit length"):
        embed_split(run, "test", "image")
