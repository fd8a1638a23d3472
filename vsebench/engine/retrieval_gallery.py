"""What queries are ranked against where that is not their own split: the items of a named set, embedded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from vsebench.components.encoder.base import Encoders
from vsebench.config.schema import System
from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.types import OWN_SPLIT
from vsebench.data.dataset import Dataset
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS, ProcessGroup
from vsebench.engine.evaluate import RankedGallery, SplitOutputs, joined_outputs, predict
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

#: Splits whose items ask. Test's may never be offered: each would find itself.
QUERIES = ("val", "test")


def gallery_positions(dataset: Dataset, name: str) -> np.ndarray:
    """Return the items of a set or split, int64 (n,), rising.

    Raises: ConfigError, of the experiment's ``gallery``: no such set, items that are test queries as well, or none that
        can match a query or are left for val's.
    """
    known = {**dataset.sets, **{s: rows for s, rows in dataset.splits.items() if s not in QUERIES}}
    if name not in known:
        hint = did_you_mean(name, known) + known_names(known, "Sets")
        raise ConfigError(f"dataset '{dataset.name}' has no set '{name}'." + hint, path=("gallery",))
    if dataset.relevance == "item":
        raise ConfigError(
            f"dataset '{dataset.name}' matches images with their own captions alone; nothing outside of a split can "
            "match its queries. Write gallery: split.",
            path=("gallery",),
        )
    result = np.unique(np.asarray(known[name], np.int64))
    twice = np.intersect1d(result, dataset.splits.get("test", result[:0]))
    if len(twice):
        raise ConfigError(
            f"{len(twice):,} items of set '{name}' are test queries too and would find themselves; the first is "
            f"'{dataset.ids[int(twice[0])]}'.",
            path=("gallery",),
        )
    if not len(np.setdiff1d(result, dataset.splits.get("val", result[:0]))):
        raise ConfigError(f"set '{name}' is empty without the items of val.", path=("gallery",))
    return result


class GalleryLoaders:
    """A set of the dataset as batches for one model, split by split, so that frozen features are shared with them.

    Validation is ranked against the set without its own items. Test's are never in it.

    Args:
        name: of the set.
        loaders: split -> feed of all of it, where there is one already.

    Raises: ConfigError as :func:`gallery_positions`.
    """

    def __init__(
        self,
        dataset: Dataset,
        name: str,
        system: System,
        encoders: Encoders,
        loaders: Mapping[str, Loader],
        *,
        cache: bool = True,
    ) -> None:
        positions = gallery_positions(dataset, name)
        self.name = name
        self.parts: dict[str, Loader] = {}
        for split, rows in dataset.splits.items():
            inside = np.isin(rows, positions)
            if inside.all() and split in loaders and loaders[split].part is None:
                self.parts[split] = loaders[split]
            elif inside.any():
                self.parts[split] = Loader(dataset, split, system, encoders, cache=cache, among=rows[inside])

    def ranked_gallery(
        self,
        model: Model,
        split: str,
        *,
        device: torch.device,
        process_group: ProcessGroup = SINGLE_PROCESS,
        known: dict[str, SplitOutputs] | None = None,
    ) -> RankedGallery:
        """Return the gallery that the queries of ``val`` or ``test`` are ranked against.

        Args:
            model: in eval mode.
            split: of the queries.
            device: where the model runs.
            process_group: the processes that compute together.
            known: outputs of whole parts, which are used again and added to while the model does not change.
        """
        known = {} if known is None else known
        parts = {name: loader for name, loader in self.parts.items() if name != split}
        for name, loader in parts.items():
            if name not in known:
                known[name] = predict(model, loader, device=device, process_group=process_group)
        return RankedGallery(
            joined_outputs([known[name] for name in parts]),
            labels=np.concatenate([loader.labels.numpy() for loader in parts.values()]),
            groups=np.concatenate([loader.groups.numpy() for loader in parts.values()]),
            positions=np.concatenate([loader.positions for loader in parts.values()]),
        )


def gallery_loaders(
    dataset: Dataset,
    name: str,
    system: System,
    encoders: Encoders,
    loaders: Mapping[str, Loader],
    *,
    cache: bool = True,
) -> GalleryLoaders | None:
    """Return the gallery that an experiment names; None for the split itself."""
    return None if name == OWN_SPLIT else GalleryLoaders(dataset, name, system, encoders, loaders, cache=cache)
