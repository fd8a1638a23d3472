"""The text tower of CLIP or SigLIP."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch

from vsebench.encoders._towers import Tower, load
from vsebench.encoders.text.base import TextEncoder
from vsebench.registry import TEXT_ENCODERS
from vsebench.types import Tokens, Words


@TEXT_ENCODERS.register(
    "clip_text",
    source="Radford et al. 2021, arXiv:2103.00020; SigLIP: Zhai et al. 2023, arXiv:2303.15343; Wolf et al. 2020, "
    "transformers",
)
class ClipText(TextEncoder):
    """Take the text vector that a CLIP or SigLIP model compares with an image's: one token, projected already.

    The tower is frozen, and the tokenizer is the model's own. SigLIP was trained on texts that are padded to its full
    length and sees the padding, so that here all of it counts as words.

    Args:
        model: hub name or folder of the whole model (``model_type`` clip or siglip).

    Shape: Words (B, N) -> Tokens (B, 1, D), final = the token.

    Raises: ConfigError for a model that is not there, a hub that cannot be reached, a model of another type, or weights
    that lack tensors.

    Example:
        >>> from vsebench.registry import TEXT_ENCODERS
        >>> sorted(TEXT_ENCODERS.get("clip_text").options)
        ['model']
    """

    frozen = True

    def __init__(self, *, model: str = "openai/clip-vit-base-patch32") -> None:
        super().__init__()
        self.tower = Tower(model, "text")
        self.tokenizer = _TowerTokenizer(load("AutoTokenizer", model), self.tower)
        self.dim_out = self.tower.dim_out

    def train(self, mode: bool = True) -> ClipText:
        """Train mode; the tower stays in eval mode."""
        super().train(mode)
        self.tower.eval()
        return self

    def forward(self, words: Words) -> Tokens:
        """Encode."""
        inputs = {"input_ids": words.ids[:, : self.tower.max_length]}
        if self.tower.family == "clip":
            inputs["attention_mask"] = words.mask[:, : self.tower.max_length].long()
        vector = self.tower(inputs)
        mask = torch.ones(len(vector), 1, dtype=torch.bool, device=vector.device)
        return Tokens(vector[:, None], mask, vector)


class _TowerTokenizer:
    """A model's own tokenizer, which pads as the model was trained."""

    def __init__(self, tokenizer: Any, tower: Tower) -> None:
        self.tokenizer, self.max_length = tokenizer, tower.max_length
        self.full = tower.family == "siglip"
        said = f"{sorted(tokenizer.get_vocab().items())}{tokenizer!r}{self.max_length}{self.full}"
        self.digest = hashlib.sha256(said.encode()).hexdigest()[:16]

    def __call__(self, texts: Sequence[str]) -> Words:
        found = self.tokenizer(
            list(texts),
            padding="max_length" if self.full else True,
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=True,
            return_tensors="pt",
        )
        ids = found["input_ids"]
        return Words(ids, torch.ones_like(ids, dtype=torch.bool) if self.full else found["attention_mask"].bool())

    def truncated(self, texts: Sequence[str]) -> int:
        """Number of texts that have more than ``max_length`` tokens, special ones included, and thus are cut."""
        if not len(texts):
            return 0
        found = self.tokenizer(list(texts), return_attention_mask=False, verbose=False)  # no warning of long texts
        return sum(len(ids) > self.max_length for ids in found["input_ids"])
