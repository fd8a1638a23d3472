"""Each registered name keeps its kind's contract: built-in components pass the kit that plug-ins pass."""

from __future__ import annotations

import pytest
import torch

from vsebench.core.registry import KINDS
from vsebench.testing.kit import check_component

CHECKED = (
    "attention",
    "pooling",
    "fusion",
    "head",
    "objective",
    "scorer",
    "reranker",
    "fitter",
    "index",
    "optimizer",
    "schedule",
    "projection",
    "augmentation",
    "ensemble",
    "corruption",
    "measurement",
    "executor",
)
#: Options of components that take minutes by their defaults.
QUICK = {
    ("fitter", "dcmh"): {"iterations": 20, "text_hidden": 64},
    ("index", "spreading"): {"hidden": 64, "epochs": 5},
}
#: Options besides the defaults that take another way through the code.
VARIANTS = [
    ("attention", "intra", {"outputs": "all", "heads": 2, "dropout": 0.0}),
    ("attention", "inter", {"normalize": "sum", "iterations": 1}),
    ("attention", "self", {"block": "bare", "positions": True, "layers": 2}),
    ("attention", "cross", {"project": True, "heads": 2, "residual": True}),
    ("attention", "scaled_dot", {"queries": "text"}),
    ("attention", "additive", {"queries": "image", "hidden": 7}),
    ("attention", "co_attention", {"layers": 1, "heads": 2}),
    ("attention", "self_cross", {"project": True, "combine": "gated", "positions": True}),
    ("attention", "self_cross", {"combine": "add", "block": "bare"}),
    ("attention", "self_memory", {"project": True, "combine": "gated", "prototypes": 2}),
    ("attention", "dan_m", {"bias": True, "steps": 3, "hidden": 9}),
    ("fusion", "amir", {"form": "aggregated", "candidates": 5}),
    ("fusion", "amir", {"rescale": False, "temperature": 1.0, "dim_shared": 50, "dim_joint": 80}),
    ("fusion", "dan_r", {"bias": True, "steps": 3, "hidden": 9}),
    ("pooling", "gpo", {"augment": 0.0, "temperature": 1.0}),
    ("pooling", "kmax", {"k": 2}),
    ("pooling", "max_tanh", {"scale": "std"}),
    ("pooling", "self_attention", {"hops": 3, "dim_hidden": 7}),
    ("pooling", "visual_semantic", {"by": "text", "heads": 2}),
    ("pooling", "visual_semantic", {"by": "audio"}),
    ("pooling", "visual_semantic", {"queries": "mean"}),
    ("pooling", "gem", {"p": 1.0}),
    ("fusion", "projected_concat", {"out": "half"}),
    ("fusion", "projected_concat", {"out": "max"}),
    ("fusion", "outer", {"size": None}),
    ("fusion", "gated", {"temperature": 0.1}),
    ("fusion", "mlb", {"activation": "relu", "hidden": 16}),
    ("fusion", "lowrank", {"rank": 1}),
    ("fusion", "dense_projection", {"hidden": 9, "dropout": 0.5}),
    ("fusion", "tensor", {"size": None}),
    ("fusion", "concat_mlp", {"layers": 2, "activation": "gelu", "dropout": 0.5}),
    ("fusion", "mfb", {"hidden": 20, "factor": 2, "exact": True}),
    ("fusion", "mfh", {"hidden": 20, "stages": 3}),
    ("fusion", "tucker", {"size": 6}),
    ("fusion", "mutan", {"size": 9, "rank": 1}),
    ("fusion", "block", {"size": 20, "chunks": 3, "exact": True}),
    ("fusion", "block_tucker", {"size": 10, "chunks": 3}),
    ("fusion", "mcb", {"size": 63, "normalize": False, "seed": 7}),
    ("fusion", "film", {"by": "image"}),
    ("fusion", "bottleneck", {"layers": 1, "bottlenecks": 2, "heads": 4, "dropout": 0.0}),
    ("head", "mlp", {"layers": 3, "activation": "gelu", "dropout": 0.5}),
    ("head", "prototype_matching", {"beta": 2.0, "momentum": 0.0}),
    ("head", "decision", {"combine": "weighted", "hidden": None}),
    ("head", "decision", {"combine": "product", "weights": {"image": 1.0, "text": 3.0, "audio": 0.5}}),
    ("head", "decision", {"combine": "max", "hidden": 7, "dropout": 0.5}),  # a vote jumps, in bf16 too: not here
    ("head", "hybrid", {"combine": "product", "hidden": None, "share": 0.2}),
    ("head", "hybrid", {"learn_share": False}),
    ("objective", "cross_entropy", {"label_smoothing": 0.1}),
    ("objective", "cosine_alignment", {"positives": "group"}),
    ("objective", "modality_cross_entropy", {"modality": "audio"}),
    ("objective", "part_cross_entropy", {"label_smoothing": 0.1}),
    ("objective", "triplet", {"negatives": "max", "similarity": "order", "margin": 0.05, "warmup_epochs": 1.0}),
    ("objective", "triplet", {"negatives": "semihard", "similarity": "euclidean"}),
    ("objective", "triplet", {"negatives": "random", "similarity": "dot", "mask_same_group": False}),
    ("objective", "info_nce", {"positive_in_denominator": False, "direction": "i2t"}),
    ("objective", "info_nce", {"learn_temperature": False, "direction": "sum"}),
    ("objective", "nt_xent", {"negatives": "cross"}),
    ("objective", "siglip", {"scale": 1.0, "bias": 0.0, "mask_same_group": False}),
    ("objective", "supcon", {"mask_same_group": False}),
    ("objective", "cosine_embedding", {"reduction": "sum"}),
    ("objective", "dan_ranking", {"samples": 32, "margin": 1.0}),
    ("objective", "projection_norm", {"orthogonal": True}),
    ("objective", "graph_laplacian", {"beta": 1.0, "affinity_grad": True}),
    ("scorer", "scan", {"direction": "i2t", "aggregate": "mean"}),
    ("scorer", "cross", {"combine": "add"}),
    ("scorer", "scan", {"normalize": "softmax", "aggregate": "sum"}),
    ("reranker", "category_query", {"weight": 0.0}),
    ("fitter", "scm", {"variant": "orth", "bits": 2}),
    ("fitter", "seph", {"kernel": "linear"}),
    ("fitter", "stmh", {"bits": 7}),
    ("index", "hnsw", {"m": 4, "ef_construction": 10, "ef_search": 10}),
    ("index", "kd_tree", {"max_leaves": 20}),
    ("index", "lsh", {"tables": 4, "bits": 6, "probes": 6, "orthogonal": True}),
    ("index", "lsh", {"bits": 40, "train_thresholds": True, "rerank": 4}),
    ("index", "pq", {"m": 4, "bits": 6, "rerank": 4}),
    ("index", "opq", {"m": 4, "bits": 6, "dim_out": 12}),
    ("index", "ivf_pq", {"nlist": 10, "nprobe": 5, "rerank": 4}),
    ("index", "binary", {"center": True, "rerank": 4}),
    ("index", "lattice", {"r2": 200, "transform": "none", "decoded": True}),
    ("index", "spreading", {"binary": True, "dim_out": 128, "hidden": 64, "epochs": 5}),
    ("index", "spreading", {"hidden": 64, "epochs": 5, "koleo": 0.0, "decoded": True, "rerank": 4}),
    ("optimizer", "sgd", {"nesterov": True}),
    ("ensemble", "rrf", {"k": 1.0}),
    ("schedule", "step", {"at": [0.25, 0.75], "factor": 0.5}),
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in CHECKED for n in KINDS[k].names()])
def test_registered_name_keeps_its_contract(kind: str, name: str) -> None:
    check_component(kind, name, QUICK.get((kind, name)))


@pytest.mark.parametrize(("kind", "name", "options"), VARIANTS)
def test_variant_keeps_the_contract(kind: str, name: str, options: dict) -> None:
    check_component(kind, name, options)


@pytest.mark.parametrize("kind", CHECKED)
def test_every_kind_has_components(kind: str) -> None:
    assert KINDS[kind].names()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: components checked on the CPU only")
@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in CHECKED[:7] for n in KINDS[k].names()])
def test_contract_on_the_accelerator(kind: str, name: str) -> None:
    # bf16 results are compared with fp32 there, and cuBLAS may sum in another order: the kit's tolerances allow both.
    check_component(kind, name, device="cuda")
