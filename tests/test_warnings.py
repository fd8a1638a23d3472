"""Which warnings are errors in these tests: those of our code, not those of other people's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest


def warn(category: type[Warning], module: str) -> None:
    """As Python does for a warning that it attributes to a module."""
    warnings.warn_explicit("changed", category, "somewhere.py", 1, module=module)


@pytest.mark.parametrize("category", [UserWarning, DeprecationWarning, FutureWarning, ResourceWarning, RuntimeWarning])
@pytest.mark.parametrize("module", ["vsebench", "vsebench.components.fusion.gated"])
def test_ours_are_errors(category: type[Warning], module: str) -> None:
    with pytest.raises(category, match="changed"):
        warn(category, module)


@pytest.mark.parametrize("category", [UserWarning, DeprecationWarning, FutureWarning, ResourceWarning])
@pytest.mark.parametrize("module", ["scipy.io.matlab", "numpy", "torch.nn", "vsebench_plugin", "tests.test_warnings"])
def test_those_of_others_are_not(category: type[Warning], module: str) -> None:
    with warnings.catch_warnings(record=True):  # keeps the filters, so that an error is raised
        warn(category, module)


def test_numbers_that_numpy_warns_of_are_errors() -> None:
    with pytest.raises(RuntimeWarning, match="empty slice"):
        np.mean(np.zeros(0))
