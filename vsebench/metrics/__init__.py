"""Every metric as a plain function of arrays: numpy arrays or torch tensors in, a float out.

The functions have the names of the registered metrics, call their code, and treat ties as they do: with the expected
value under a random order of the tied items. Imports components/metric and core.
"""

from __future__ import annotations

from vsebench.metrics.classification import (
    accuracy,
    auroc,
    average_precision,
    balanced_accuracy,
    brier,
    ece,
    f1,
    nll,
    top5_accuracy,
    vqa_accuracy,
)
from vsebench.metrics.codes import hamming_lookup, hamming_map
from vsebench.metrics.folds import recall_1k, rsum_1k
from vsebench.metrics.retrieval import (
    cross_precision,
    map,
    mean_rank,
    median_rank,
    ndcg,
    precision,
    recall,
    rsum,
    set_recall,
)

__all__ = [
    "accuracy",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "cross_precision",
    "ece",
    "f1",
    "hamming_lookup",
    "hamming_map",
    "map",
    "mean_rank",
    "median_rank",
    "ndcg",
    "nll",
    "precision",
    "recall",
    "recall_1k",
    "rsum",
    "rsum_1k",
    "set_recall",
    "top5_accuracy",
    "vqa_accuracy",
]
