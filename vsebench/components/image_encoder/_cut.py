"""Cut a timm backbone where its frozen stages end, so that what they give can be computed once and kept.

    forward_features(x) = after(s_K(... s_{k+1}(m)...)),   m = the input of the first trained stage

A cut is only offered when it was seen to give the very same numbers as ``forward_features`` on a probe: some backbones
pass more than one tensor between their stages, or do something after them that is no module.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vsebench.core.types import Tokens


class _Reached(Exception):
    """The first trained stage was reached; its input is known."""


class Cut:
    """A backbone in two parts.

    Args:
        backbone: a timm model without its classifier.
        stages: all stages, in order.
        trained: how many of the last ones train.
        after: the modules that ``forward_features`` applies after the stages, in order.
        memory_format: of the maps that the backbone works on.

    Attributes:
        position: number of frozen stages.
        rest: the modules of the second part, in order.
        trained: those, and what belongs to the classifier.
        layout: shape of what is between the parts, without the batch: (C, h, w), (h, w, C) or (N, D).
    """

    def __init__(
        self,
        backbone: nn.Module,
        stages: Sequence[nn.Module],
        trained: int,
        after: Sequence[nn.Module],
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.backbone, self.position, self.memory_format = backbone, len(stages) - trained, memory_format
        self.rest = [*stages[self.position :], *after]
        self.trained = self.rest
        self.layout: tuple[int, ...] = ()

    def before(self, images: Tensor) -> Tensor:
        """Run the frozen stages only: what goes into the first trained one."""
        results: list[Tensor] = []

        def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            results.extend(inputs)
            raise _Reached

        hook = self.rest[0].register_forward_pre_hook(stop)
        try:
            self.backbone.forward_features(images)  # type: ignore[operator]
        except _Reached:
            pass
        finally:
            hook.remove()
        if len(results) != 1:
            raise ValueError("the stage does not take one tensor")
        return results[0]

    def after(self, values: Tensor) -> Tensor:
        """Run the trained stages and what follows them."""
        for module in self.rest:
            values = module(values)
        return values

    def to_tokens(self, values: Tensor) -> Tokens:
        """Convert the values between the parts to a set of vectors, the last dimension last."""
        rows = values.contiguous().view(len(values), -1, values.shape[-1])
        return Tokens(rows, torch.ones(rows.shape[:2], dtype=torch.bool, device=rows.device))

    def from_tokens(self, tokens: Tokens) -> Tensor:
        """Invert :meth:`to_tokens`."""
        values = tokens.values.reshape(len(tokens.values), *self.layout)
        return values.contiguous(memory_format=self.memory_format) if values.ndim == 4 else values


def cut_of(
    backbone: nn.Module,
    stages: Sequence[nn.Module],
    trained: int,
    after: Sequence[nn.Module],
    probe: Tensor,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Cut | None:
    """Return the backbone cut before its last ``trained`` stages; None where it cannot be cut.

    Args:
        backbone: a model of timm.
        stages: of the backbone, in order.
        trained: how many of the last stages train.
        after: modules behind the stages; the last of them may belong to the classifier, which is not run.
        probe: images (2, 3, H, W) as the backbone takes them.
        memory_format: of the images and maps.
    """
    was_training = {m: m.training for m in backbone.modules()}
    backbone.eval()
    try:
        with torch.no_grad():
            wanted = backbone.forward_features(probe)  # type: ignore[operator]
            for count in range(len(after) + 1):  # the fewest: a classifier's dropout shows in training only
                cut = Cut(backbone, stages, trained, after[:count], memory_format)
                values = cut.before(probe)
                cut.layout = tuple(values.shape[1:])
                if _same(cut, values, wanted):
                    cut.trained = [*cut.rest, *after[count:]]
                    return cut
    except (ValueError, TypeError, RuntimeError, AttributeError):
        return None
    finally:
        for module, mode in was_training.items():
            module.training = mode
    return None


def _same(cut: Cut, values: Tensor, wanted: Tensor) -> bool:
    try:
        result = cut.after(cut.from_tokens(cut.to_tokens(values)))
    except (ValueError, TypeError, RuntimeError, AttributeError):
        return False  # a module of the classifier that takes something else
    return isinstance(wanted, Tensor) and result.shape == wanted.shape and bool(torch.equal(result, wanted))
