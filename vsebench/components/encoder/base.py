"""What encoders of all modalities are: raw input to tokens, of which a frozen part may be computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vsebench.core.types import Tokens
from vsebench.ops.freezing import weights_digest


class Encoder(nn.Module):
    """Turn one modality's raw input into tokens.

    Attributes:
        dim_out: D, size of a token.
        frozen: True when no parameter takes a gradient and the module runs in eval mode for good, so that its
            Tokens can be computed once and kept.
        cut: not None when the encoder trains in part and can be cut where its frozen stages end. It then has
            :meth:`before_cut`, computed once and kept, and :meth:`after_cut`, which together give what ``forward``
            gives, and :meth:`cut_digest`.
        uses_visual: True when ``forward`` takes the image's vector as ``visual``; nothing of it is kept then.
        origin: repository and commit of the hub that its weights come from (``model``, ``commit``), recorded with a
            run; None where they come from elsewhere.

    Shape: raw input of B items -> Tokens (B, N, D).
    """

    dim_out: int
    frozen: bool
    cut: object | None = None
    uses_visual: bool = False
    origin: dict[str, str] | None = None

    @classmethod
    def check_files(cls, options: Mapping[str, Any]) -> None:
        """Refuse options that name a file or folder that is not on this machine, or need a library that is not.

        It is called when runs are planned, not when finished ones are read.

        Raises: ConfigError.
        """

    @property
    def device(self) -> torch.device:
        """Where its parameters or buffers are."""
        return next(iter([*self.parameters(), *self.buffers()])).device

    @property
    def frozen_part(self) -> Callable[[Any], Tokens] | None:
        """What does not change in training: all of a frozen encoder, the frozen stages of one that has a cut."""
        if self.frozen:
            return self
        return None if self.cut is None else self.before_cut

    def rest(self, tokens: Tokens) -> Tokens:
        """Encode on from what :attr:`frozen_part` gave."""
        return tokens if self.frozen else self.after_cut(tokens)

    def before_cut(self, raw: Any) -> Tokens:
        """Compute what the frozen stages give."""
        raise NotImplementedError(type(self).__name__)

    def after_cut(self, tokens: Tokens) -> Tokens:
        """Encode from what the frozen stages gave."""
        raise NotImplementedError(type(self).__name__)

    def cut_digest(self) -> str:
        """Return what changes with the place of the cut and with any frozen weight."""
        raise NotImplementedError(type(self).__name__)

    def weights_digest(self) -> str:
        """Return what changes with any weight or buffer; part of the key of cached Tokens."""
        return weights_digest(self)

    def frozen_digest(self) -> str:
        """Return what changes with any weight of :attr:`frozen_part`."""
        return self.weights_digest() if self.frozen else self.cut_digest()

    def input_digest(self) -> str:
        """Return what changes when the same item may give another raw input; part of the key of cached Tokens."""
        raise NotImplementedError(type(self).__name__)

    def backbone_state(self) -> dict[str, Tensor]:
        """Return what ``weights: pretrain`` keeps: the state that a ``checkpoint`` of this encoder has."""
        return self.state_dict()

    def notes(self) -> list[str]:
        """Return what a reader of results should know of how the encoder was made, a line each."""
        return []


class Encoders(nn.ModuleDict):
    """Modality -> :class:`Encoder`."""

    if TYPE_CHECKING:  # ModuleDict knows its values as modules only

        def __getitem__(self, key: str) -> Encoder: ...
        def items(self) -> ItemsView[str, Encoder]: ...
        def values(self) -> ValuesView[Encoder]: ...
