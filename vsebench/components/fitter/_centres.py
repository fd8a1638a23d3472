"""Centres of clusters, by k-means."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

#: Steps of k-means at most.
STEPS = 30


def centres(rows: Tensor, count: int, seed: int) -> Tensor:
    """``count`` centres of rows, or the distinct rows themselves if there are no more of them than that.

    k-means ends after ``STEPS`` steps: the centres only have to lie where the rows are.

    Shape: (n, D) -> float64 (min(count, distinct rows), D), on the CPU.

    Example:
        >>> centres(torch.tensor([[0.0], [0.5], [9.0], [9.5]]), 2, seed=0).sort(dim=0).values.tolist()
        [[0.25], [9.25]]
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    rows = rows.double().cpu()
    distinct: Tensor = torch.unique(rows, dim=0)
    if len(distinct) <= count:
        return distinct
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = KMeans(count, n_init=1, max_iter=STEPS, random_state=seed % 2**32).fit(rows.numpy())
    return torch.from_numpy(result.cluster_centers_).double()
