"""A component on trial: built for one case, called, and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from vsebench.core.component import Component
from vsebench.core.errors import ComponentError, ConfigError
from vsebench.core.types import Tokens
from vsebench.ops.masking import blank
from vsebench.testing.probes import Case, map_tensors, map_tokens, tensors

Results = dict[str, Tensor]


@dataclass(frozen=True)
class Trial:
    """A component built for one case, in eval mode, and what it says.

    Args:
        results: the result's tensors by path; tokens without their padding.
    """

    component: Component
    case: Case
    device: torch.device
    module: nn.Module
    arguments: tuple[Any, ...]
    results: Results

    @staticmethod
    def of(component: Component, case: Case, device: torch.device) -> Trial:
        """Build and call.

        Raises: ConfigError when the options do not allow the case; AssertionError when anything else goes wrong.
        """
        torch.manual_seed(1)
        who = f"{component.kind} '{component.name}' ({case.label})"
        arguments = map_tensors(lambda t: t.to(device), case.arguments)
        try:
            module = case.build().to(device).eval()
            with torch.no_grad():
                results = meaning(module(*arguments))
        except ConfigError:
            raise
        except ComponentError as error:
            raise AssertionError(f"{who}: {error}") from error
        except Exception as error:
            raise AssertionError(f"{who}: it cannot be built and called: {type(error).__name__}: {error}") from error
        return Trial(component, case, device, module, arguments, results)

    def say(self, *arguments: Any, module: nn.Module | None = None) -> Results:
        """Call without gradients."""
        with torch.no_grad():
            return meaning((module or self.module)(*arguments))

    def rebuilt(self, seed: int) -> nn.Module:
        """Return a new instance with the weights of a seed."""
        torch.manual_seed(seed)
        module: nn.Module = self.case.build().to(self.device).eval()
        return module

    def fail(self, sentence: str) -> NoReturn:
        """Raise with the component's name before the sentence."""
        kind, name = self.component.kind, self.component.name
        raise AssertionError(f"{kind} '{name}' ({self.case.label}): {sentence}")

    def require_equal(self, result: Results, wanted: Results, sentence: str, *, tolerance: float = 1e-5) -> None:
        """Fail with the sentence and the largest difference."""
        if result.keys() != wanted.keys():
            self.fail(f"{sentence}: it returns {sorted(result)} instead of {sorted(wanted)}")
        for name, want in wanted.items():
            got = result[name]
            if got.shape != want.shape:
                self.fail(f"{sentence}: {name or 'the result'} is {tuple(got.shape)} instead of {tuple(want.shape)}")
            got, want = got.double(), want.double()
            scale = max(1.0, float(want.abs().max())) if want.numel() else 1.0
            # A NaN differs from everything.
            if not bool(((got - want).abs() <= tolerance * scale).all()):
                worst = float((got - want).abs().max())
                self.fail(f"{sentence}: {name or 'the result'} differs by up to {worst:.3g}")


def meaning(result: Any) -> Results:
    """Return a result's tensors; of tokens only the real ones, and no column that is padding in every row."""

    def real(tokens: Tokens) -> Tokens:
        if tokens.values.ndim != 3 or tokens.mask.shape != tokens.values.shape[:2]:
            return tokens  # check_shape says what is wrong
        count = int(tokens.mask.any(0).nonzero().max()) + 1 if bool(tokens.mask.any()) else 0
        return replace(tokens, values=blank(tokens.values, tokens.mask)[:, :count], mask=tokens.mask[:, :count])

    return tensors(map_tokens(real, result))


def gradients(trial: Trial, arguments: tuple[Any, ...]) -> Results:
    """Gradients of a random linear function of the result, by parameter; zeros where none arrives."""
    module = trial.module
    module.zero_grad(set_to_none=True)
    results = meaning(module(*arguments))
    generator = torch.Generator().manual_seed(2)
    total = torch.zeros((), device=trial.device)
    for result in results.values():
        if result.is_floating_point() and result.requires_grad:
            weights = torch.randn(result.shape, generator=generator).to(trial.device)
            total = total + (result.float() * weights).sum()
    if total.requires_grad:
        total.backward()
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    return {n: torch.zeros_like(p) if p.grad is None else p.grad.clone() for n, p in trained.items()}
