"""Any BERT-like encoder of transformers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.encoders._freezing import freeze, outside, tensors_digest
from vsebench.encoders.text._cut import Cut, cut_of
from vsebench.encoders.text.base import TextEncoder
from vsebench.errors import ConfigError
from vsebench.registry import TEXT_ENCODERS
from vsebench.types import Tokens, Words


@TEXT_ENCODERS.register("bert", source="Devlin et al. 2019, arXiv:1810.04805; Wolf et al. 2020, transformers")
class Bert(TextEncoder):
    """Take the last hidden states of a transformer.

    ``weights: hub`` loads ``model`` (a hub name or a local folder) with its own tokenizer. ``weights: none`` builds a
    BERT from ``config`` and trains it from scratch over the training split's words, each text led by a [CLS] token.
    With ``visual: true`` the projected image vector is added to the first token's input embedding ("initialise the
    textual embedding with the visual one"; our reading: METHODS 6.4). That projection begins at zero.

    Args:
        vocabulary: words of the training split, for ``weights: none`` (wired).
        visual_dim: size of the image's tokens, for ``visual`` (wired).
        model: hub name or folder.
        weights: ``hub`` or ``none``.
        config: settings of ``transformers.BertConfig`` for ``weights: none``.
        finetune: ``none`` (frozen), ``last`` (the last ``layers`` train) or ``all``.
        layers: how many of the last layers train with ``finetune: last``.
        max_length: tokens after it are cut, special tokens included.
        min_count: rarer words become the unknown word (``weights: none``).
        dropout: rate in [0, 0.95) on the hidden states that come out.
        visual: add the image vector to the first token.
        precision: ``bf16`` runs a frozen model under autocast; its tokens are float32 all the same.

    Shape: Words (B, N) -> Tokens (B, N, hidden), final = the first token's state.

    Raises: ConfigError for a model that is not there, a hub that cannot be reached, unknown ``config`` keys, more
    ``layers`` than there are, ``visual`` on a frozen model or without an image encoder.

    Example:
        >>> from vsebench.data.vocabulary import Vocabulary
        >>> small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        >>> Bert(Vocabulary.build(["a hat"]), weights="none", config=small, finetune="all").dim_out
        16
    """

    def __init__(
        self,
        vocabulary: Any = None,
        visual_dim: int | None = None,
        *,
        model: str = "bert-base-uncased",
        weights: Literal["hub", "none"] = "hub",
        config: dict[str, Any] | None = None,
        finetune: Literal["none", "last", "all"] = "none",
        layers: Annotated[int, Gt(0)] = 1,
        max_length: Annotated[int, Gt(2)] = 64,
        min_count: Annotated[int, Gt(0)] = 1,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
        visual: bool = False,
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        super().__init__()
        if config and weights == "hub":
            raise ConfigError("'config' goes with weights: none; a loaded model has its own.", path=("config",))
        if weights == "none":
            self.tokenizer: Any = _WordTokenizer(vocabulary.restrict(min_count), max_length)
            self.bert = _from_config(config or {}, self.tokenizer.size, max_length)
        else:
            self.tokenizer = _HubTokenizer(_load("AutoTokenizer", model), max_length)
            self.bert = _load("AutoModel", model)
        self.dim_out = int(self.bert.config.hidden_size)
        self.precision = precision
        self.cut: Cut | None = None
        self.frozen_parts = self._frozen_parts(finetune, layers)
        self.frozen = finetune == "none"
        freeze(self.frozen_parts)
        if finetune == "last" and not visual:
            stack = _layers(self.bert)
            assert stack is not None, "checked where parts are frozen"
            self.cut = cut_of(self.bert, stack, layers)
        self.drop = nn.Dropout(dropout)
        self.uses_visual = visual
        if visual:
            self._add_visual(visual_dim)

    def _add_visual(self, visual_dim: int | None) -> None:
        if self.frozen:
            raise ConfigError(
                "'visual' changes the input of the model, which must train: finetune: all.", path=("visual",)
            )
        if visual_dim is None:
            raise ConfigError("'visual' needs an image encoder.", path=("visual",))
        self.visual = nn.Linear(visual_dim, self.dim_out)
        nn.init.zeros_(self.visual.weight)
        nn.init.zeros_(self.visual.bias)

    def _frozen_parts(self, finetune: str, layers: int) -> list[nn.Module]:
        if getattr(self.bert, "pooler", None) is not None:
            self.bert.pooler = None  # its output is not used, and an unused layer would get no gradient
        if finetune == "none":
            return [self.bert]
        if finetune == "all":
            return []
        stack = _layers(self.bert)
        if stack is None or layers >= len(stack):
            count = 0 if stack is None else len(stack)
            raise ConfigError(f"layers ({layers}) must be fewer than the model's {count}.", path=("layers",))
        return [self.bert.embeddings, *stack[: len(stack) - layers]]

    def train(self, mode: bool = True) -> Bert:
        """Train mode; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self.frozen_parts:
            part.eval()
        return self

    def forward(self, words: Words, visual: Tensor | None = None) -> Tokens:
        """Encode; ``visual`` (B, visual_dim) is added to the first token's embedding."""
        inputs: dict[str, Tensor] = {"attention_mask": words.mask.long()}
        if visual is None:
            inputs["input_ids"] = words.ids
        else:
            embedded = self.bert.get_input_embeddings()(words.ids)
            first = embedded[:, :1] + self.visual(visual)[:, None].to(embedded.dtype)
            inputs["inputs_embeds"] = torch.cat([first, embedded[:, 1:]], 1)
        low = self.frozen and self.precision == "bf16"
        autocast = torch.autocast(words.ids.device.type, torch.bfloat16) if low else nullcontext()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen), autocast:
            values = self.bert(**inputs).last_hidden_state
        return self._dropped(values.float() if low else values, words.mask)

    def before_cut(self, words: Words) -> Tokens:
        """What the frozen layers give; computed once for a text."""
        assert self.cut is not None, "an encoder without a cut"
        return self.cut.before(words)

    def after_cut(self, tokens: Tokens) -> Tokens:
        """Encode from what the frozen layers gave."""
        assert self.cut is not None, "an encoder without a cut"
        return self._dropped(self.cut.after(tokens), tokens.mask)

    def cut_digest(self) -> str:
        """Changes with the place of the cut and with any frozen weight."""
        assert self.cut is not None, "an encoder without a cut"
        return f"{tensors_digest(outside(self.bert, self.cut.trained))}-{self.cut.position}"

    def _dropped(self, values: Tensor, mask: Tensor) -> Tokens:
        values = self.drop(values)
        return Tokens(values, mask, values[:, 0])


def _layers(model: nn.Module) -> nn.ModuleList | None:
    return next((m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) > 0), None)


class _HubTokenizer:
    """A tokenizer of transformers."""

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length
        said = f"{sorted(tokenizer.get_vocab().items())}{tokenizer!r}{max_length}"
        self.digest = hashlib.sha256(said.encode()).hexdigest()[:16]

    def __call__(self, texts: Sequence[str]) -> Words:
        found = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        return Words(found["input_ids"], found["attention_mask"].bool())

    def truncated(self, texts: Sequence[str]) -> int:
        """Number of texts that have more than ``max_length`` tokens, special ones included, and thus are cut."""
        if not len(texts):
            return 0
        found = self.tokenizer(list(texts), return_attention_mask=False, verbose=False)  # no warning of long texts
        return sum(len(ids) > self.max_length for ids in found["input_ids"])


class _WordTokenizer:
    """The vocabulary's words behind a [CLS] token, whose id follows the last word's."""

    def __init__(self, vocabulary: Any, max_length: int) -> None:
        self.words, self.size = vocabulary.tokenizer(max_length - 1), len(vocabulary) + 1
        self.digest = f"cls-{self.words.digest}"

    def __call__(self, texts: Sequence[str]) -> Words:
        words: Words = self.words(texts)
        first = torch.full((len(words.ids), 1), self.size - 1)
        mask = torch.ones(len(words.ids), 1, dtype=torch.bool)
        return Words(torch.cat([first, words.ids], 1), torch.cat([mask, words.mask], 1))

    def truncated(self, texts: Sequence[str]) -> int:
        """Number of texts that are cut: those with ``max_length`` words or more, since [CLS] takes a place."""
        return int(self.words.truncated(texts))


def _from_config(config: dict[str, Any], size: int, max_length: int) -> Any:
    from transformers import BertConfig, BertModel

    fixed = {"vocab_size": size, "max_position_embeddings": max(max_length, 8), "pad_token_id": 0}
    known = BertConfig()
    for key in config:
        if not hasattr(known, key) or key in fixed:
            raise ConfigError(f"'{key}' is no setting of BertConfig that can be chosen here.", path=("config",))
    try:
        return BertModel(BertConfig(**{**config, **fixed}), add_pooling_layer=False)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"transformers cannot make this model: {error}", path=("config",)) from error


def _load(what: str, model: str) -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()  # one bar per run would bury a sweep's own progress
    local = Path(model).expanduser()
    options: dict[str, Any] = {"use_safetensors": True} if what == "AutoModel" else {}
    try:
        return getattr(transformers, what).from_pretrained(str(local) if local.is_dir() else model, **options)
    except (OSError, ValueError) as error:
        place = (
            f"the folder '{model}'"
            if local.is_dir()
            else f"'{model}' (no local folder, and not in the hub or its cache)"
        )
        first = str(error).strip().split("\n")[0]
        raise ConfigError(f"transformers cannot load {place}: {first}", path=("model",)) from error
