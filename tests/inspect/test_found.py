"""What an HTML board says that a model finds is what its run ranked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vsebench.cli.leaderboard_html import FIRST, found_by
from vsebench.inspect.examples import make_examples
from vsebench.leaderboard.examples import COUNT, Pictures, examples_of
from vsebench.runs.load import LoadedRun

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("row", ["plain", "t2i"])
def test_found_is_what_was_ranked(run_of: Callable[[str], LoadedRun], row: str) -> None:
    run = run_of(row)
    results = found_by(run.folder)
    assert not isinstance(results, str)
    dataset = run.open_dataset()
    result, _ = examples_of(run.folder, Pictures(dataset), results=results)
    groups = {dataset.ids[p]: dataset.groups[p] for p in dataset.splits["test"]}
    gallery, _ = make_examples(run, queries=COUNT, k=FIRST)
    for way, kinds in result.items():
        for kind, queries in kinds.items():
            for query, wanted in zip(queries, gallery.queries[way][kind], strict=True):
                assert (query["id"], query["rank"]) == (wanted.thing.id, round(wanted.rank, 1))
                shown = query["found"]
                assert [(one["id"], one["text"], one["rank"]) for one in shown] == [
                    (one.thing.id, one.thing.text, one.rank) for one in wanted.results
                ]
                assert [one["right"] for one in shown] == [groups[one["id"]] == groups[query["id"]] for one in shown]


def test_a_run_that_cannot_be_loaded_says_why(run_of: Callable[[str], LoadedRun]) -> None:
    message = found_by(run_of("plain").folder.parent)
    assert isinstance(message, str)
    assert "not the folder of a run" in message
