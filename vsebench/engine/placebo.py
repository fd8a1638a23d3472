"""A control: items that are read with another item's text, image or sound."""

from __future__ import annotations

import numpy as np

from vsebench.config.schema import Placebo
from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.data.dataset import Dataset


def other_items(dataset: Dataset, split: str, placebo: Placebo) -> np.ndarray:
    """Return for each item of a split the item of another group whose modality it is read with.

    Each item is taken once. The pairs are random, but the same in every run: they depend on the split alone. With
    ``within``, both items have the same value of that slice.

    Returns: int64 (n,), positions in the dataset.

    Raises: ConfigError for a field that the dataset does not have, or one value of which most items of one group have:
        then there is no other item for each.
    """
    positions = np.asarray(dataset.splits[split], dtype=np.int64)
    groups, strata = np.asarray(dataset.groups)[positions], np.zeros(len(positions), np.int64)
    names = list(dataset.slices.values)
    if placebo.within is not None:
        if placebo.within not in names:
            known = known_names(names) if names else " It has none."
            hint = did_you_mean(placebo.within, names)
            raise ConfigError(
                f"dataset '{dataset.name}' has no slice '{placebo.within}'.{hint}{known}", path=("placebo", "within")
            )
        strata = dataset.slices.codes[positions, names.index(placebo.within)]
    result = np.empty_like(positions)
    generator = np.random.default_rng(0)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        _, group, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
        if 2 * sizes.max() > len(rows):
            where = "" if placebo.within is None else f" with the same '{placebo.within}'"
            raise ConfigError(
                f"placebo: one group holds {sizes.max()} of {len(rows)} items of the {split} split{where}, so that not "
                "every item can be read with one of another group.",
                path=("placebo",),
            )
        # In an order with whole groups together, an item that is the largest group's size further is of another group.
        order = rows[np.argsort(generator.permutation(len(sizes))[group], kind="stable")]
        result[order] = positions[np.roll(order, -sizes.max())]
    return result
