"""Faults that only a component's constructor sees, such as heads that do not divide a width, said with the plan.

Parts are built without memory (torch's meta device) for two widths of the encoders' tokens that are made up, as no
encoder is loaded. A fault that is told alike for both does not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vsebench.config.schema import ENCODER_SLOTS, Spec, System
from vsebench.core.errors import ConfigError, all_of
from vsebench.core.errors import Path as KeyPath
from vsebench.core.registry import registry_of

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset

#: Both have many divisors, so that what is to divide a width does.
_WIDTHS = (240, 720)


@dataclass
class Parts:
    """Tries the parts of systems; equal parts are tried once.

    Args:
        dataset: whose precomputed features have widths that are known.
    """

    dataset: Dataset
    known: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def check(self, system: System) -> None:
        """Refuse a system with a part that cannot be built, whatever its encoders give.

        Raises: ConfigError of every fault, whose path leads into the system.
        """
        first, second = (self._faults(system, width) for width in _WIDTHS)
        alike = [fault for path, fault in first.items() if path in second and str(second[path]) == str(fault)]
        if alike:
            raise all_of(alike)

    def _faults(self, system: System, width: int) -> dict[KeyPath, ConfigError]:
        """Where constructors refuse their options; what is behind a part that cannot be built is left out."""
        results: dict[KeyPath, ConfigError] = {}

        def build(path: KeyPath, kind: str, spec: Spec, **wired: Any) -> Any:
            built = self._build(kind, spec, wired)
            if isinstance(built, ConfigError):
                results[path] = built.under(*path)
                return None
            return built

        tokens = {m: self._width(system, m, width) for m in system.modalities}
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
        labels = {"num_classes": self.dataset.num_classes, "multi_label": self.dataset.multi_label}
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

    def _width(self, system: System, modality: str, width: int) -> int:
        slot = ENCODER_SLOTS[modality]
        features = registry_of(slot).get(getattr(system, slot).name).facts["reads"] == "features"
        return self.dataset.feature_dims[modality] if features else width

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
