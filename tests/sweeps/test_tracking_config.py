"""How runs are filed in W&B."""

from __future__ import annotations

from typing import Any

import pytest

from vsebench.config.schema import Spec, System, WeightedSpec
from vsebench.sweeps.plan import Run
from vsebench.sweeps.tracking_config import dataset_name, filed_config, filed_tags


def run(**changes: Any) -> Run:
    system = System(
        image_encoder=Spec(name="timm_cnn", options={"model": "m"}),
        text_encoder=Spec(name="lstm"),
        pooling={"image": Spec(name="mean"), "text": Spec(name="last")},
        fusion=Spec(name="gated"),
        objective=[WeightedSpec(name="cross_entropy"), WeightedSpec(name="info_nce", weight=0.5)],
    )
    plain: dict[str, Any] = {"run_id": "r", "experiment": "e", "name": "row", "section": "sweep", "system": system,
                             "seed": 3, "metrics": ("accuracy",), "select_metric": "val/accuracy",
                             "select_mode": "max", "dataset": "data/mmfrb.h5",
                             "axes": (("image_encoder", "CNN"), ("fusion", "gated"))}  # fmt: skip
    return Run(**{**plain, **changes})


def test_a_key_for_each_slot() -> None:
    result = filed_config(run())
    expected = {"image_encoder": "timm_cnn", "text_encoder": "lstm", "audio_encoder": "none", "attention": "none",
                "pooling": "mean / last", "fusion": "gated", "head": "mlp", "objective": "cross_entropy + info_nce",
                "seed": 3, "dataset": "mmfrb", "axes": {"image_encoder": "CNN", "fusion": "gated"}}  # fmt: skip
    assert {key: result[key] for key in expected} == expected
    assert result["system"]["image_encoder"]["options"] == {"model": "m"}


def test_tags_are_what_wandb_takes() -> None:
    tags = filed_tags(run(dataset={"name": "n" * 100}))
    assert {"sweep", "fusion:gated", "text_encoder:lstm"} <= set(tags)
    assert not any(tag.endswith(":none") for tag in tags)
    assert all(1 <= len(tag) <= 64 for tag in tags)
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize(
    ("message", "name"),
    [("mmfrb", "mmfrb"), ("x.y", "x.y"), ("a/b/c.h5", "c"), ({"name": "av_digits", "seed": 1}, "av_digits")],
)
def test_dataset_name(message: Any, name: str) -> None:
    assert dataset_name(message) == name
