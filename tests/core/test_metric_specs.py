"""How the experiment's list of metrics is written."""

from __future__ import annotations

import pytest

from vsebench.core.errors import ConfigError
from vsebench.core.metric_specs import Metric, forms, metric_entry, parse_metrics, versions
from vsebench.core.registry import METRICS

MAP = "'map', 'map@r', 'map@{1,5,10}:found', 'map@{1,5,10}:min' or 'map@{1,5,10}:all'"


def test_entries_have_a_length_and_a_variant() -> None:
    assert parse_metrics(["map", "map@r", "map@{5, 10}:min", "map@5:min", "ndcg@3"]) == [
        Metric("map"),
        Metric("map", "r"),
        Metric("map", 5, "min"),
        Metric("map", 10, "min"),
        Metric("ndcg", 3),
    ]
    assert versions(parse_metrics(["map", "map@5:all"])) == {"map": 1}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("map@10", f"metric 'map@10' is written {MAP}."),
        ("map@10:most", "metric 'map@10:most' is written 'map', 'map@r', "),
        ("map:min", "metric 'map:min' is written 'map', 'map@r', "),
        ("map@r:min", "metric 'map@r:min' is written 'map', 'map@r', "),
        ("map@R", "metric 'map@R' is written 'map', 'map@r', "),
        ("map@k:min", "metric 'map@k:min' is written 'map', 'map@r', "),
        ("recall@k", "metric 'recall@k' is written 'recall@{1,5,10}'."),
        ("recall@r", "metric 'recall@r' is written 'recall@{1,5,10}'."),
        ("recall@5:min", "metric 'recall@5:min' is written 'recall@{1,5,10}'."),
        ("recall", "metric 'recall' is written 'recall@{1,5,10}'."),
        ("rsum:all", "metric 'rsum:all' is written 'rsum'."),
        ("map@0:min", "metric 'map@0:min': k must be at least 1."),
        ("maps@5:min", "unknown metric 'maps@5:min'. Did you mean 'map'?"),
        ("map@5:", "unknown metric 'map@5:'."),
    ],
)  # fmt: skip
def test_wrong_entries_are_told_how_they_are_written(entry: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_metrics(["accuracy", entry])
    assert str(error.value).startswith(text)
    assert error.value.path == (1,)


@pytest.mark.parametrize("name", METRICS.names())
def test_every_form_of_a_metric_can_be_built(name: str) -> None:
    component = METRICS.get(name)
    for form in forms(name):
        (metric,) = parse_metrics([name + form.replace("{k}", "7")])
        assert component.validate(metric.options).items() >= metric.options.items()


def test_keys_lead_back_to_their_entry() -> None:
    assert metric_entry("i2t/map@10:min") == "map@10:min"
    assert metric_entry("t2i/chance/map@r") == "map@r"
    with pytest.raises(ConfigError, match="no metric gives 'i2t/mop@3:min'"):
        metric_entry("i2t/mop@3:min")
