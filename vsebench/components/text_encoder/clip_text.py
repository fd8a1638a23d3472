"""The text tower of CLIP or SigLIP."""

from __future__ import annotations

import torch

from vsebench.components.encoder._local import ModelOrFolder
from vsebench.components.encoder._pretrained import source_of
from vsebench.components.encoder._towers import Tower
from vsebench.components.text_encoder._hub_tokenizer import HubTokenizer, load_tokenizer
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.types import TokenIds, Tokens


@TEXT_ENCODERS.register(
    "clip_text",
    source="Radford et al. 2021, arXiv:2103.00020; SigLIP: Zhai et al. 2023, arXiv:2303.15343; Wolf et al. 2020, "
    "transformers",
)
class ClipText(ModelOrFolder, TextEncoder):
    """Take the text vector that a CLIP or SigLIP model compares with an image's: one token, projected already.

    The tower is frozen, and the tokenizer is the model's own. SigLIP was trained on texts that are padded to its full
    length and sees the padding, so that here all of it counts as words.

    Args:
        model: hub name or folder of the whole model (``model_type`` clip or siglip).
        revision: branch, tag or commit of a hub name; its main branch by default. The commit is recorded with the run.

    Shape: Words (B, N) -> Tokens (B, 1, D), final = the token.

    Raises: ConfigError for a model that is not there, a hub that cannot be reached, a model of another type,
    tensors that are missing or left over, or a tokenizer without files or of another model.

    Example:
        >>> from vsebench.core.registry import TEXT_ENCODERS
        >>> sorted(TEXT_ENCODERS.get("clip_text").options)
        ['model', 'revision']
    """

    frozen = True

    def __init__(self, *, model: str = "openai/clip-vit-base-patch32", revision: str | None = None) -> None:
        super().__init__()
        source = source_of(model, revision)
        self.origin = source.origin
        self.tower = Tower(source, "text")
        tokenizer = load_tokenizer(source, self.tower.body)
        self.tokenizer = HubTokenizer(tokenizer, self.tower.max_length, full=self.tower.family == "siglip")
        self.dim_out = self.tower.dim_out

    def train(self, mode: bool = True) -> ClipText:
        """Train mode; the tower stays in eval mode."""
        super().train(mode)
        self.tower.eval()
        return self

    def forward(self, words: TokenIds) -> Tokens:
        """Encode."""
        inputs = {"input_ids": words.ids[:, : self.tower.max_length]}
        if self.tower.family == "clip":
            inputs["attention_mask"] = words.mask[:, : self.tower.max_length].long()
        vector = self.tower(inputs)
        mask = torch.ones(len(vector), 1, dtype=torch.bool, device=vector.device)
        return Tokens(vector[:, None], mask, vector)
