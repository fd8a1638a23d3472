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
from vsebench.distributed.gradient_sharing import ALONE, Team
from vsebench.engine.evaluate import Offered, SplitOutputs, joined_outputs, predict
from vsebench.engine.loader import Feed
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
        said = did_you_mean(name, known) + known_names(known, "Sets")
        raise ConfigError(f"dataset '{dataset.name}' has no set '{name}'." + said, path=("gallery",))
    if dataset.relevance == "item":
        raise ConfigError(
            f"dataset '{dataset.name}' matches images with their own captions alone; nothing outside of a split can "
            "match its queries. Write gallery: split.",
            path=("gallery",),
        )
    found = np.unique(np.asarray(known[name], np.int64))
    twice = np.intersect1d(found, dataset.splits.get("test", found[:0]))
    if len(twice):
        raise ConfigError(
            f"{len(twice):,} items of set '{name}' are test queries too and would find themselves; the first is "
            f"'{dataset.ids[int(twice[0])]}'.",
            path=("gallery",),
        )
    if not len(np.setdiff1d(found, dataset.splits.get("val", found[:0]))):
        raise ConfigError(f"set '{name}' is empty without the items of val.", path=("gallery",))
    return found


class GalleryFeeds:
    """A set of the dataset as batches for one model, split by split, so that frozen features are shared with them.

    Validation is ranked against the set without its own items. Test's are never in it.

    Args:
        name: of the set.
        feeds: split -> feed of all of it, where there is one already.

    Raises: ConfigError as :func:`gallery_positions`.
    """

    def __init__(
        self,
        dataset: Dataset,
        name: str,
        system: System,
        encoders: Encoders,
        feeds: Mapping[str, Feed],
        *,
        cache: bool = True,
    ) -> None:
        positions = gallery_positions(dataset, name)
        self.name = name
        self.parts: dict[str, Feed] = {}
        for split, rows in dataset.splits.items():
            inside = np.isin(rows, positions)
            if inside.all() and split in feeds and feeds[split].part is None:
                self.parts[split] = feeds[split]
            elif inside.any():
                self.parts[split] = Feed(dataset, split, system, encoders, cache=cache, among=rows[inside])

    def offered(
        self,
        model: Model,
        split: str,
        *,
        device: torch.device,
        team: Team = ALONE,
        known: dict[str, SplitOutputs] | None = None,
    ) -> Offered:
        """Return the gallery that the queries of ``val`` or ``test`` are ranked against.

        Args:
            known: outputs of whole parts, which are used again and added to while the model does not change.
        """
        known = {} if known is None else known
        parts = {name: feed for name, feed in self.parts.items() if name != split}
        for name, feed in parts.items():
            if name not in known:
                known[name] = predict(model, feed, device=device, team=team)
        return Offered(
            joined_outputs([known[name] for name in parts]),
            labels=np.concatenate([feed.labels.numpy() for feed in parts.values()]),
            groups=np.concatenate([feed.groups.numpy() for feed in parts.values()]),
            positions=np.concatenate([feed.positions for feed in parts.values()]),
        )


def gallery_feeds(
    dataset: Dataset,
    name: str,
    system: System,
    encoders: Encoders,
    feeds: Mapping[str, Feed],
    *,
    cache: bool = True,
) -> GalleryFeeds | None:
    """Return the gallery that an experiment names; None for the split itself."""
    return None if name == OWN_SPLIT else GalleryFeeds(dataset, name, system, encoders, feeds, cache=cache)
