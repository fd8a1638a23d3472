"""Cut a transformer of transformers where its frozen layers end, so that what they give can be computed once and kept.

The second part is the model itself with other parts in two places: its embeddings are the kept states, and its layers
are the trained ones. It shares every parameter, so nothing is computed in another way than the library computes it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from vsebench.core.types import TokenIds, Tokens


class _Kept(nn.Module):
    """Stands for the embeddings: gives back what it is given."""

    def forward(self, input_ids: Any = None, inputs_embeds: Any = None, **_: Any) -> Any:
        """Return the states, by whatever name the model calls them."""
        return inputs_embeds if inputs_embeds is not None else input_ids


class Cut:
    """A transformer in two parts.

    Args:
        model: with ``embeddings`` and, anywhere in it, one list of layers.
        stack: that list.
        position: number of frozen layers.
    """

    def __init__(self, model: nn.Module, stack: nn.ModuleList, position: int) -> None:
        self.position, self.trained = position, list(stack[position:])
        self.first = self._with_layers(model, stack, list(stack[:position]))
        self.second = self._with_layers(model, stack, self.trained)
        self.second._modules["embeddings"] = _Kept()

    def before(self, words: TokenIds) -> Tokens:
        """Return the states after the frozen layers."""
        with torch.no_grad():
            values = self.first(input_ids=words.ids, attention_mask=words.mask.long()).last_hidden_state
        return Tokens(values, words.mask)

    def after(self, tokens: Tokens) -> Tensor:
        """Return the last hidden states."""
        values: Tensor = self.second(inputs_embeds=tokens.values, attention_mask=tokens.mask.long()).last_hidden_state
        return values

    @staticmethod
    def _with_layers(model: nn.Module, stack: nn.ModuleList, layers: list[nn.Module]) -> Any:
        """Return the model with other layers; a shallow copy along the way to them, so that parameters are shared."""
        twin = _shallow(model)
        path = next(name for name, module in model.named_modules() if module is stack).split(".")
        place = twin
        for name in path[:-1]:
            place._modules[name] = _shallow(place._modules[name])  # type: ignore[arg-type]
            place = place._modules[name]  # type: ignore[assignment]
        place._modules[path[-1]] = nn.ModuleList(layers)
        return twin


def _shallow(module: nn.Module) -> nn.Module:
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


def cut_of(model: nn.Module, stack: nn.ModuleList, trained: int) -> Cut | None:
    """Return the model cut before its last ``trained`` layers; None where both parts do not give what the whole gives.

    Models that norm after their last layer, or share something between layers, are such.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    words = TokenIds(torch.tensor([[1, 2, 3], [2, 1, 0]]), torch.tensor([[True, True, True], [True, True, False]]))
    try:
        with torch.no_grad():
            wanted = model(input_ids=words.ids, attention_mask=words.mask.long()).last_hidden_state
            cut = Cut(model, stack, len(stack) - trained)
            frozen = cut.before(words)
            result = cut.after(Tokens(frozen.values * words.mask[:, :, None], words.mask))
        same = torch.equal(result[words.mask], wanted[words.mask])
    except (ValueError, TypeError, RuntimeError, AttributeError, LookupError, StopIteration):
        return None
    finally:
        for module, mode in modes.items():
            module.training = mode
    return cut if same else None
