"""What can be known of a system before it runs: parts that cannot be built, and files or libraries that are not here.

Some faults only a component's constructor sees, such as heads that do not divide a width. Parts are therefore built
without memory (torch's meta device), twice: for two widths of the encoders' tokens, since no encoder is loaded, and as
long as no dataset is open for two made-up datasets. A fault that is the same both times depends on none of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.core.errors import Collector, ConfigError, all_of
from vsebench.core.errors import Path as KeyPath
from vsebench.core.registry import registry_of

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset


@dataclass(frozen=True)
class Sizes:
    """What encoders and a dataset decide.

    Args:
        width: of tokens; with many divisors, so that what is to divide it does.
        num_classes: of the labels.
        multi_label: whether an item may have several.
        feature_dims: modality -> width of its precomputed features, as far as known.
    """

    width: int
    num_classes: int = 24
    multi_label: bool = False
    feature_dims: Mapping[str, int] = field(default_factory=dict)


MADE_UP = (Sizes(240), Sizes(720, 36, multi_label=True))


def sizes_of(dataset: Dataset) -> tuple[Sizes, Sizes]:
    """Return the sizes of a dataset, with made-up widths of tokens."""
    known = (dataset.num_classes, dataset.multi_label, dataset.feature_dims)
    return Sizes(MADE_UP[0].width, *known), Sizes(MADE_UP[1].width, *known)


def check_files(system: System) -> None:
    """Refuse encoders whose options name a file or folder that is not here, or need a library that is not.

    Raises: ConfigError of every fault, whose path leads into the system.
    """
    faults = Collector()
    for slot in (ENCODER_SLOTS[m] for m in system.modalities):
        spec = getattr(system, slot)
        check = getattr(registry_of(slot).get(spec.name).target, "check_files", None)
        with faults:
            try:
                if check is not None:
                    check(spec.options)
            except ConfigError as error:
                raise error.under(slot) from None
    faults.check()


@dataclass
class Parts:
    """Tries the parts of systems; equal parts are tried once.

    Args:
        sizes: two assumptions on what is not known.
    """

    sizes: tuple[Sizes, Sizes] = MADE_UP
    known: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def check(self, system: System) -> None:
        """Refuse a system with a part that cannot be built, whatever its encoders give.

        Raises: ConfigError of every fault, whose path leads into the system.
        """
        first, second = (self._faults(system, sizes) for sizes in self.sizes)
        alike = [fault for path, fault in first.items() if path in second and str(second[path]) == str(fault)]
        if alike:
            raise all_of(alike)

    def _faults(self, system: System, sizes: Sizes) -> dict[KeyPath, ConfigError]:
        """Return the refusals of constructors by path; what follows a part that cannot be built is left out."""
        results: dict[KeyPath, ConfigError] = {}

        def build(path: KeyPath, kind: str, spec: Spec, **wired: Any) -> Any:
            built = self._build(kind, spec, wired)
            if isinstance(built, ConfigError):
                results[path] = built.under(*path)
                return None
            return built

        # The order of the model: each part is built with the widths that the one before it gave, and the first refusal
        # on a branch ends it, since what follows has no width to be tried with.
        tokens = {m: _width(system, m, sizes) for m in system.modalities}
        dims = build(("attention",), "attention", system.attention, dims=tokens, dim=system.dim)
        if not isinstance(dims, Mapping):
            return results
        if system.scorer is not None:
            build(("scorer",), "scorer", system.scorer, dims=dims, dim=system.dim)
        pooled = {}
        for m, spec in {} if system.scores_alone else system.pooling.items():
            context = {other: d for other, d in dims.items() if other != m}
            pooled[m] = build(("pooling", m), "pooling", spec, modality=m, dim=dims[m], context=context)
        if not all(isinstance(size, int) for size in pooled.values()):
            return results
        vectors = pooled
        if system.projection is not None:
            seen = {"dim_out": system.dim, "dropout": system.dropout}
            vectors = {
                m: build(("projection",), "projection", system.projection, dim=size, **seen)
                for m, size in pooled.items()
            }
            if not all(isinstance(size, int) for size in vectors.values()):
                return results
        labels = {"num_classes": sizes.num_classes, "multi_label": sizes.multi_label}
        if system.fitter is not None:
            build(("fitter",), "fitter", system.fitter, dims=pooled, **labels)
            return results
        joint: Any = next(iter(vectors.values()), None)
        if system.fusion is not None:
            wired = {"dims": vectors, "dim_out": system.dim, "token_dims": tokens}
            joint = build(("fusion",), "fusion", system.fusion, **wired)
        if system.head is not None and isinstance(joint, int):
            build(("head",), "head", system.head, dim_in=joint, dims=vectors, **labels)
        for term in system.objective:
            build(("objective",), "objective", term, dims=vectors, **labels)
        return results

    def _build(self, kind: str, spec: Spec, wired: Mapping[str, Any]) -> Any:
        """Build a part and return its width or widths, or its ConfigError; None where that takes too much memory."""
        import torch

        key = (kind, spec.name, repr(spec.options), repr(wired))
        if key not in self.known:
            try:
                with torch.device("meta"), torch.random.fork_rng(devices=[]):
                    part = registry_of(kind).build(spec.name, spec.options, **wired)
                self.known[key] = getattr(part, "dims_out" if kind == "attention" else "dim_out", None)
            except ConfigError as error:
                self.known[key] = error
            except Exception:  # a part that computes while it is built, or is at fault: its run says so
                self.known[key] = None
        return self.known[key]


def _width(system: System, modality: str, sizes: Sizes) -> int:
    slot = ENCODER_SLOTS[modality]
    features = registry_of(slot).get(getattr(system, slot).name).facts["reads"] == "features"
    return sizes.feature_dims.get(modality, sizes.width) if features else sizes.width
