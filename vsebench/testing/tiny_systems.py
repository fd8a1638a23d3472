"""A tiny system for each component, as an experiment file says it: what ``--same-numbers`` trains.

Only YAML and the command line are used, so that the same experiments run with the code of any commit.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vsebench.core.registry import INDEXES, KINDS, METRICS

Row = dict[str, Any]
ITEMS = 60
#: Functions of the tests' ``tiny_models`` that write a model.
MODELS = ("bert_folder", "clip_folder", "wav2vec_folder")
CNN = {"name": "timm_cnn", "model": "test_resnet", "weights": "none", "image_size": 32}
TRAIN = {"epochs": 2, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 2.0e-3}}
BASE: Row = {
    "dim": 24,
    "image_encoder": "features",
    "text_encoder": "features",
    "fusion": "concat",
    "head": "linear",
    "objective": ["cross_entropy", "cosine_alignment"],
}
#: No classifier: retrieval alone.
RANKED: Row = {**BASE, "fusion": "none", "head": "none", "objective": "triplet"}
SOUNDS: Row = {**BASE, "text_encoder": "none", "audio_encoder": "features", "objective": "cross_entropy"}
LSTM = {"name": "lstm", "dim_word": 8, "dim_hidden": 8}
WORDS = {"dim_word": 8}
RECURRENT = {"dim_word": 8, "dim_hidden": 8}
SPECTRA = {"max_seconds": 0.5, "mels": 16}
#: Options of encoders that are large by default; folders of models are written beside the dataset.
ENCODERS: dict[str, dict[str, Row]] = {
    "image_encoder": {
        "timm_cnn": CNN,
        "timm_vit": {"model": "test_vit", "weights": "none", "image_size": 32},
        "cnn_f": {},
        "clip_image": {"model": "clip_folder"},
    },
    "text_encoder": {
        **dict.fromkeys(("bigru", "bilstm", "gru", "lstm"), RECURRENT),
        **dict.fromkeys(("mean_words", "word_vectors"), WORDS),
        "bert": {"model": "bert_folder", "max_length": 16, "finetune": "all"},
        "bert_bow": {"model": "bert_folder", "max_length": 16},
        "clip_text": {"model": "clip_folder"},
        "bow": {"dim": 16},
    },
    "audio_encoder": {
        "audio_cnn": {"width": 4, "blocks": 2, **SPECTRA},
        "audio_rnn": {"dim_hidden": 8, **SPECTRA},
        "crnn": {"width": 4, "blocks": 2, "dim_hidden": 8, **SPECTRA},
        "audio_transformer": {"model": "wav2vec_folder", "max_seconds": 0.5},
    },
}
#: Systems of components that need other parts around them.
SPECIAL: dict[str, Row] = {
    "fusion.amir": {"objective": ["cross_entropy", "projection_norm", "graph_laplacian"], "similarity": "dot"},
    "pooling.first": {"text_encoder": LSTM},
    "pooling.last": {"text_encoder": LSTM},
    "head.decision": {"fusion": "none", "objective": "cross_entropy"},
    "head.hybrid": {"objective": ["cross_entropy", "part_cross_entropy"]},
    "objective.part_cross_entropy": {"head": "hybrid"},
    "objective.modality_cross_entropy": {"objective": [{"name": "modality_cross_entropy", "modality": "text"}]},
    "objective.projection_norm": {"fusion": "amir", "similarity": "dot"},
    "objective.graph_laplacian": {"fusion": "amir", "similarity": "dot"},
    "reranker.category_query": {"head": {"name": "linear"}},
}
#: Options without which a component takes long, or cannot be built.
OPTIONS: dict[str, Row] = {
    "fitter.cca_hashing": {"bits": 4},
    "fitter.dcmh": {"iterations": 3, "text_hidden": 16},
    "fitter.dsph": {"epochs": 2},
    "schedule.step": {"at": [0.5]},
    "index.spreading": {"hidden": 16, "epochs": 2},
    "pooling.visual_semantic": {"by": "text"},
}
#: Options besides the defaults that take another way through the code.
VARIANTS: list[tuple[str, Row]] = [
    ("attention.intra", {"outputs": "all", "heads": 2}),
    ("attention.self", {"block": "bare", "positions": True, "layers": 2}),
    ("attention.self_cross", {"project": True, "combine": "gated", "positions": True}),
    ("attention.dan_m", {"bias": True, "steps": 3, "hidden": 9}),
    ("fusion.mcb", {"size": 63, "normalize": False, "seed": 7}),
    ("fusion.mfb", {"hidden": 20, "factor": 2, "exact": True}),
    ("fusion.concat_mlp", {"layers": 2, "activation": "gelu", "dropout": 0.5}),
    ("head.mlp", {"layers": 3, "activation": "gelu", "dropout": 0.5}),
    ("objective.triplet", {"negatives": "max", "similarity": "order", "margin": 0.05}),
    ("objective.triplet", {"negatives": "semihard", "similarity": "euclidean"}),
    ("objective.info_nce", {"positive_in_denominator": False, "direction": "i2t"}),
    ("pooling.self_attention", {"hops": 3, "dim_hidden": 7}),
    ("optimizer.sgd", {"nesterov": True, "momentum": 0.9}),
]


def dataset(file: Path) -> None:
    """Write the items: images, captions, sounds and features of three classes."""
    import numpy as np
    from PIL import Image
    from scipy.io import wavfile

    import vsebench as vb

    rng = np.random.default_rng(0)
    words = ("red", "green", "blue", "black", "white", "grey")
    with vb.DatasetWriter(file, name="tiny", title="Tiny", fractions={"train": 0.6, "val": 0.2, "test": 0.2}) as writer:
        for i in range(ITEMS):
            label = i % len(words)
            pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, label % 3] += 60 + 20 * label
            picture, sound = io.BytesIO(), io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            wave = np.sin(np.arange(4000) * (0.1 + 0.1 * label)) + 0.1 * rng.normal(size=4000)
            wavfile.write(sound, 8000, (8000 * wave).astype(np.int16))
            features = {
                "image": (rng.normal(size=(1 + i % 4, 8)) + label).astype(np.float32),
                "text": (rng.normal(size=(1 + i % 3, 6)) - label).astype(np.float32),
                "audio": (rng.normal(size=(2, 5)) + label).astype(np.float32),
            }
            texts = (f"a {words[label]} thing number {i}", f"{words[label]} indeed")
            item: Any = {"group": f"group-{i // 12 * 6 + label}", "features": features, "audio": sound.getvalue()}
            writer.add(vb.Item(f"item-{i}", picture.getvalue(), texts, words[label], **item))


def experiments(names: Iterable[str], file: Path, models: Mapping[str, str]) -> Iterator[Row]:
    """Yield experiments whose rows train the entries of the version table; rows are named for them.

    Args:
        names: entries; of the engine, everything is trained.
        file: the dataset.
        models: function of ``tiny_models`` -> the folder that it has written.
    """
    wanted = set(names)
    everything = bool(wanted & {"engine", "pretrain", "ensembles"})
    rows = {name: row for name, row in _rows(models) if everything or name.partition(" ")[0] in wanted}
    metrics = {name for name in METRICS.names() if everything or f"metric.{name}" in wanted}
    if metrics:
        rows |= {name: row for name, row in _rows(models) if name in ("fusion.concat", "fitter.cca_hashing")}
    head = {"dataset": str(file), "seeds": [0], "train": TRAIN}
    for title, selected, listed in (
        ("classified", lambda row: row.get("head") != "none", CLASSIFIED),
        ("ranked", lambda row: row.get("head") == "none" and row.get("similarity") != "hamming", RANKS),
        ("codes", lambda row: row.get("similarity") == "hamming", CODES),
    ):
        some = {name: row for name, row in rows.items() if selected(row)}
        if some:
            yield {"experiment": title, **head, "metrics": listed, "systems": some}
    indexes = [name for name in INDEXES.names() if everything or f"index.{name}" in wanted]
    if indexes or "index_benchmark" in wanted:
        described = {f"index.{n}": {"name": n, **OPTIONS.get(f"index.{n}", {})} for n in indexes or ["flat"]}
        generated = {"kind": "clusters", "count": 600, "queries": 20, "dim": 16, "clusters": 8, "latent": 4, "seed": 1}
        yield {"experiment": "indexes", "vectors": {"generated": generated}, "k": [1, 10], "indexes": described}


RANKS = [
    "map", "mean_rank", "median_rank", "ndcg@5", "precision@5", "recall@{1,5}", "rsum",
]  # fmt: skip
CLASSIFIED = [
    "accuracy", "auroc", "average_precision", "balanced_accuracy", "brier", "ece", "f1", "nll", "top5_accuracy", *RANKS,
]  # fmt: skip
CODES = ["hamming_map", "hamming_lookup@2", "map", "recall@1"]


def _rows(models: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    """Yield a row for each component, with the variants behind it."""
    for kind, registry in KINDS.items():
        for name in registry.names():
            if (row := _row(kind, name, OPTIONS.get(f"{kind}.{name}", {}), models)) is not None:
                yield f"{kind}.{name}", row
    pretrained = {**CNN, "weights": "pretrain", "pretrain_epochs": 1}
    yield "pretrain", {**BASE, "image_encoder": pretrained}
    for number, (key, options) in enumerate(VARIANTS):
        kind, _, name = key.partition(".")
        row = _row(kind, name, {**OPTIONS.get(key, {}), **options}, models)
        assert row is not None
        yield f"{key} {number}", row


def _row(kind: str, name: str, options: Row, models: Mapping[str, str]) -> Row | None:
    """Return a system that has the component; None for kinds that are no part of one."""
    # The smallest system in which the component changes the numbers, since a difference must show after an epoch.
    block: Any = {"name": name, **options} if options else name
    match kind:
        case "image_encoder" | "text_encoder" | "audio_encoder":
            given = {key: models.get(str(value), value) for key, value in ENCODERS[kind].get(name, {}).items()}
            row = {**(SOUNDS if kind == "audio_encoder" else BASE), kind: {"name": name, **given, **options}}
        case "attention" | "fusion" | "head" | "projection":
            row = {**BASE, kind: block}
        case "pooling":
            row = {**BASE, "pooling": {"image": block, "text": "mean"} if options.get("by") else block}
        case "objective":
            row = {**BASE, "objective": ["cross_entropy", {"name": name, **options}]}
        case "scorer":
            row = {**RANKED, "scorer": block}
        case "reranker":
            row = {**BASE, "reranker": block}
        case "fitter":
            coded = {"similarity": "hamming"} if registry_says_codes(name) else {}
            row = {**RANKED, "objective": "cross_entropy", "projection": "none", "fitter": block, **coded}
            row.pop("objective")
        case "optimizer":
            row = {**BASE, "train": {**TRAIN, "optimizer": {"lr": 2.0e-3, "name": name, **options}}}
        case "schedule":
            row = {**BASE, "train": {**TRAIN, "schedule": block}}
        case "augmentation":
            row = {**BASE, "image_encoder": {**CNN, "finetune": "all"}, "train": {**TRAIN, "augment": block}}
        case _:
            return None
    return {**row, **SPECIAL.get(f"{kind}.{name}", {})}


def registry_says_codes(name: str) -> bool:
    """Return whether a fitter gives codes."""
    return bool(KINDS["fitter"].get(name).facts["codes"])
