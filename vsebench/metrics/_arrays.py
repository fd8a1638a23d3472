"""Arrays of callers: numpy arrays, torch tensors or lists, checked before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import MetricError, did_you_mean, known_names
from vsebench.core.registry import METRICS


def numbers(values: Any, name: str, *shapes: str) -> np.ndarray:
    """Convert to numpy; half precision becomes float32, whole numbers stay.

    Args:
        values: from the caller.
        name: of the argument, for messages.
        shapes: that it may have, as in ``(n, C)``.

    Raises: MetricError for what holds no numbers or has another number of dimensions.
    """
    if hasattr(values, "detach"):  # a tensor, perhaps on a GPU, of a graph, or in bfloat16, which numpy lacks
        values = values.detach().cpu()
        values = values.float() if "float16" in str(values.dtype) else values
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise MetricError(f"{name} holds {array.dtype}; it must hold numbers.")
    if array.ndim not in {shape.count(",") + (not shape.endswith(",)")) for shape in shapes}:
        raise MetricError(f"{name} has shape {array.shape}; it must be {' or '.join(shapes)}.")
    if not array.shape[0]:
        raise MetricError(f"{name} is empty; there is nothing to measure.")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def floats(values: Any, name: str, *shapes: str) -> np.ndarray:
    """Convert to floats, as :func:`numbers`."""
    array = numbers(values, name, *shapes)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def whole(values: Any, name: str, *shapes: str) -> np.ndarray:
    """Convert to bool or int, as :func:`numbers`.

    Raises: MetricError for fractions and negative numbers.
    """
    array = numbers(values, name, *shapes)
    if array.dtype.kind == "b":
        return array
    wrong = array[(array != np.trunc(array)) | (array < 0)]
    if len(wrong):
        raise MetricError(f"{name} holds {wrong[0]}; it must hold true and false, or whole numbers from 0.")
    return array.astype(np.int64)


def same_shape(first: np.ndarray, name: str, second: np.ndarray, other: str) -> None:
    """Refuse arrays of different shapes. Raises: MetricError."""
    if first.shape != second.shape:
        raise MetricError(f"{name} has shape {first.shape}, {other} {second.shape}; they must be the same.")


def measure(metric: str, predictions: Predictions, **options: Any) -> dict[str, float]:
    """Compute a registered metric.

    Returns: its numbers by the last part of their keys, without chance levels and counts of what was skipped.
    """
    result = METRICS.get(metric).target(predictions, **options)
    return {key: value for key, value in result.items() if not {"chance", "skipped"} & set(key.split("/"))}


def of_average(values: dict[str, float], metric: str, average: str) -> float:
    """Pick one of a metric's averages; ``macro`` is the one under its bare name.

    Raises: MetricError naming the averages that there are.
    """
    averages = {"macro" if key == metric else key.removeprefix(f"{metric}/"): value for key, value in values.items()}
    averages = {name: value for name, value in averages.items() if not name.endswith("threshold")}
    if average not in averages:
        hint = did_you_mean(average, averages) + known_names(averages)
        raise MetricError(f"{metric} has no average '{average}' for these labels.{hint}")
    return averages[average]
