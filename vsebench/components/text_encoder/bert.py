"""Any BERT-like encoder of transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.encoder._local import ModelOrFolder
from vsebench.components.encoder._pretrained import Source, encoder_of, reason, source_of
from vsebench.components.text_encoder._cut import Cut, cut_of
from vsebench.components.text_encoder._hub_tokenizer import PROBE, HubTokenizer, load_tokenizer
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.registry import TEXT_ENCODERS
from vsebench.core.shipped import EMBEDDED, shipped_file, version_of
from vsebench.core.types import TokenIds, Tokens
from vsebench.ops.freezing import freeze, outside, tensors_digest


@TEXT_ENCODERS.register("bert", source="Devlin et al. 2019, arXiv:1810.04805; Wolf et al. 2020, transformers")
class Bert(ModelOrFolder, TextEncoder):
    """Take the last hidden states of a transformer.

    ``weights: hub`` loads ``model`` (a hub name or a local folder) with its own tokenizer: an encoder such as BERT, a
    decoder such as GPT-2, or the encoder of a T5. Every tensor of it must be there. When it is loaded it reads a short
    text alone and beside one of ``max_length`` tokens: a text's states may not depend on its batch. ``weights: none``
    builds a BERT from ``config`` and trains it from scratch over the training split's words, each text led by a [CLS]
    token. ``weights: embedded`` loads a small BERT that ships with the package, trained to fill in words of captions of
    rendered scenes and to tell what each word is about (``model: scenes_bert``). With ``visual: true`` the projected
    image vector is added to the first token's input embedding ("initialise the textual embedding with the visual one";
    our reading: methods 6.4). That projection begins at zero.

    Args:
        vocabulary: words of the training split, for ``weights: none`` (wired).
        visual_dim: size of the image's tokens, for ``visual`` (wired).
        model: hub name or folder.
        weights: ``hub``, ``none`` or ``embedded``.
        revision: branch, tag or commit of a hub name; its main branch by default. The commit is recorded with the run.
            Of ``embedded`` weights the version that they must have.
        config: settings of ``transformers.BertConfig`` for ``weights: none``.
        finetune: ``none`` (frozen), ``last`` (the last ``layers`` train) or ``all``.
        layers: how many of the last layers train with ``finetune: last``.
        max_length: tokens after it are cut, special tokens included; no more than the model has positions.
        min_count: rarer words become the unknown word (``weights: none``).
        dropout: rate in [0, 0.95) on the hidden states that come out.
        visual: add the image vector to the first token.
        precision: ``bf16`` runs a frozen model under autocast; its tokens are float32 all the same.

    Shape: Words (B, N) -> Tokens (B, N, hidden). ``pooling: first`` is the state of [CLS], ``last`` that of the last
    real token, which alone has seen the whole text in a decoder.

    Raises: ConfigError for a model that is not there, a hub that cannot be reached, tensors that are missing or left
    over, a tokenizer without files or of another model, a model that reads no text, a ``max_length`` over its
    positions, unknown ``config`` keys, more ``layers`` than there are, ``visual`` on a frozen model or without an image
    encoder.

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
        weights: Literal["hub", "none", "embedded"] = "hub",
        revision: str | None = None,
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
        _check_together(weights, config, revision, finetune, visual)
        if weights == "none":
            self.tokenizer: Any = _WordTokenizer(vocabulary.restrict(min_count), max_length)
            self.bert = _from_config(config or {}, self.tokenizer.size, max_length)
        else:
            if weights == EMBEDDED:
                source = Source(model, shipped_file(model, "bert", revision))
                self.origin = {"model": model, "commit": version_of(source.folder)}
            else:
                source = source_of(model, revision)
                self.origin = source.origin
            self.bert = _from_source(source)
            self.tokenizer = HubTokenizer(load_tokenizer(source, self.bert), max_length)
            _check_reading(model, self.bert, self.tokenizer)
        self.dim_out = int(self.bert.config.hidden_size)
        self.precision = precision
        self.cut: Cut | None = None
        self.frozen_parts = self._frozen_parts(finetune, layers)
        self.frozen = finetune == "none"
        freeze(self.frozen_parts)
        if finetune == "last":
            for parameter in self.bert.parameters(recurse=False):
                parameter.requires_grad_(False)  # XLNet's vector of masked words, which nothing reads
        if finetune == "last" and not visual:
            stack = _layers(self.bert)
            assert stack is not None, "checked where parts are frozen"
            self.cut = cut_of(self.bert, stack, layers)
        self.drop = nn.Dropout(dropout)
        self.uses_visual = visual
        if visual:
            self._add_visual(visual_dim)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Refuse what cannot be made, before any run: settings of another form, such as heads that divide no width.

        Raises: ConfigError.
        """
        weights, finetune = options["weights"], options["finetune"]
        _check_together(weights, options["config"], options["revision"], finetune, options["visual"])
        if weights == EMBEDDED:
            shipped_file(options["model"], "bert", options["revision"])
        if weights == "none":
            count = _layers_of(repr(options["config"] or {}), options["max_length"])
            if finetune == "last" and options["layers"] >= count:
                raise _too_many(options["layers"], count)

    @classmethod
    def check_files(cls, options: Mapping[str, Any]) -> None:
        """Refuse a path that is no folder of a model.

        Raises: ConfigError.
        """
        if options["weights"] == "hub":
            super().check_files(options)

    def _add_visual(self, visual_dim: int | None) -> None:
        if visual_dim is None:
            raise ConfigError("'visual' needs an image encoder.", path=("visual",))
        self.visual = nn.Linear(visual_dim, self.dim_out)
        nn.init.zeros_(self.visual.weight)
        nn.init.zeros_(self.visual.bias)

    def _frozen_parts(self, finetune: str, layers: int) -> list[nn.Module]:
        if finetune == "none":
            return [self.bert]
        if finetune == "all":
            return []
        stack = _layers(self.bert)
        if stack is None or layers >= len(stack):
            count = 0 if stack is None else len(stack)
            raise _too_many(layers, count)
        owner = next(m for m in self.bert.modules() if any(child is stack for child in m.children()))
        if sum(isinstance(m, nn.ModuleList) and len(m) == len(stack) for m in owner.children()) > 1:
            raise ConfigError(
                f"a {type(self.bert).__name__} keeps the parts of a layer apart, so that no last layer can train "
                "alone; choose finetune: all or none.",
                path=("finetune",),
            )
        return [*_before(self.bert, stack), *stack[: len(stack) - layers]]

    def train(self, mode: bool = True) -> Bert:
        """Train mode; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self.frozen_parts:
            part.eval()
        return self

    def forward(self, words: TokenIds, visual: Tensor | None = None) -> Tokens:
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

    def before_cut(self, words: TokenIds) -> Tokens:
        """Compute the output of the frozen layers, once per text."""
        assert self.cut is not None, "an encoder without a cut"
        return self.cut.before(words)

    def after_cut(self, tokens: Tokens) -> Tokens:
        """Encode from what the frozen layers gave."""
        assert self.cut is not None, "an encoder without a cut"
        return self._dropped(self.cut.after(tokens), tokens.mask)

    def cut_digest(self) -> str:
        """Return a digest of the place of the cut and of the frozen weights."""
        assert self.cut is not None, "an encoder without a cut"
        return f"{tensors_digest(outside(self.bert, self.cut.trained))}-{self.cut.position}"

    def _dropped(self, values: Tensor, mask: Tensor) -> Tokens:
        values = self.drop(values)
        return Tokens(values, mask)


def _check_together(
    weights: str, config: Mapping[str, Any] | None, revision: str | None, finetune: str, visual: bool
) -> None:
    """Refuse options that do not go together.

    Raises: ConfigError.
    """
    if config and weights != "none":
        raise ConfigError("'config' goes with weights: none; a loaded model has its own.", path=("config",))
    if revision and weights == "none":
        raise ConfigError("'revision' goes with weights: hub; nothing is loaded here.", path=("revision",))
    if visual and finetune == "none":
        raise ConfigError("'visual' changes the input of the model, which must train: finetune: all.", path=("visual",))


def _too_many(layers: int, count: int) -> ConfigError:
    return ConfigError(f"layers ({layers}) must be fewer than the model's {count}.", path=("layers",))


@lru_cache(maxsize=256)
def _layers_of(config: str, max_length: int) -> int:
    """Return the number of layers of a model from settings; it is made of meta tensors, which take no memory.

    Args:
        config: settings as their ``repr``, so that the same are tried once.
        max_length: tokens of a text.

    Raises: ConfigError as :func:`_from_config`.
    """
    import ast

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return len(_layers(_from_config(ast.literal_eval(config), 8, max_length)) or ())


def _layers(model: nn.Module) -> nn.ModuleList | None:
    return next((m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) > 0), None)


def _before(model: nn.Module, stack: nn.ModuleList) -> list[nn.Module]:
    """Return the modules that come before the stack of layers: the embeddings. What comes after it trains with it."""
    before: list[nn.Module] = []
    for child in model.children():
        if child is stack:
            return before
        if any(module is stack for module in child.modules()):
            return before + _before(child, stack)
        before.append(child)
    raise AssertionError("the stack is a part of the model")


def _from_source(source: Source) -> Any:
    """Return the text model of a folder or a hub name: of an encoder-decoder its encoder, without the pooler."""
    config = source.load("AutoConfig")
    if not isinstance(getattr(config, "hidden_size", None), int):
        raise ConfigError(
            f"'{source.model}' is a model of type {config.model_type}, which has no text states of one size. This "
            "encoder takes a text model; the text tower of a CLIP or SigLIP is text_encoder: clip_text.",
            path=("model",),
        )

    def used(whole: Any) -> nn.Module:
        network = encoder_of(whole)
        if getattr(network, "pooler", None) is not None:
            network.pooler = None  # its output is not used, and an unused layer would get no gradient
        network.config.use_cache = False  # of decoders: keys and values for a next word, which never comes
        return network  # type: ignore[no-any-return]

    network: Any = source.network(used)
    if network.main_input_name != "input_ids":
        raise ConfigError(
            f"'{source.model}' is a model of type {config.model_type} that reads {network.main_input_name}, not text.",
            path=("model",),
        )
    return network


@torch.no_grad()
def _check_reading(model: str, network: Any, tokenizer: HubTokenizer) -> None:
    """Read a short text alone and beside one of the greatest length.

    Raises: ConfigError where the length is over the model's positions, or the short text has other states.
    """
    words = tokenizer([PROBE, f"{PROBE} " * tokenizer.max_length])
    limit = _positions(network)
    if limit is not None and tokenizer.max_length > limit:
        raise ConfigError(
            f"max_length ({tokenizer.max_length}) is more than '{model}' has positions ({limit}).",
            path=("max_length",),
        )
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        short = tokenizer([PROBE])
        alone, both = (network(input_ids=w.ids, attention_mask=w.mask.long()).last_hidden_state for w in (short, words))
    except Exception as error:  # whatever a model that wants something else raises
        raise ConfigError(
            f"'{model}' ({type(network).__name__}) cannot read a text of {words.ids.shape[1]} tokens: "
            f"{type(error).__name__}: {reason(error)}",
            path=("model",),
        ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    count = alone.shape[1]
    close = torch.allclose(both[:1, :count], alone, atol=1e-3 * float(alone.abs().max()), rtol=1e-3)
    if both.shape[:2] != words.ids.shape or not close:
        raise ConfigError(
            f"'{model}' ({type(network).__name__}) gives a text other states beside a longer one: it does not hide "
            "padding, so that numbers would depend on the batch. Choose another model.",
            path=("model",),
        )


def _positions(network: Any) -> int | None:
    """Most tokens of a text; None of a model with relative positions."""
    limit = getattr(network.config, "max_position_embeddings", None)
    tables = [
        m for n, m in network.named_modules() if n.endswith("position_embeddings") and isinstance(m, nn.Embedding)
    ]
    if tables and tables[0].padding_idx is not None:  # RoBERTa counts positions from behind the padding's row
        return int(tables[0].num_embeddings) - int(tables[0].padding_idx) - 1
    return limit if isinstance(limit, int) and limit > 0 else None


class _WordTokenizer:
    """The vocabulary's words behind a [CLS] token, whose id follows the last word's."""

    def __init__(self, vocabulary: Any, max_length: int) -> None:
        self.words, self.size = vocabulary.tokenizer(max_length - 1), len(vocabulary) + 1
        self.digest = f"cls-{self.words.digest}"

    def __call__(self, texts: Sequence[str]) -> TokenIds:
        words: TokenIds = self.words(texts)
        first = torch.full((len(words.ids), 1), self.size - 1)
        mask = torch.ones(len(words.ids), 1, dtype=torch.bool)
        return TokenIds(torch.cat([first, words.ids], 1), torch.cat([mask, words.mask], 1))

    def truncated(self, texts: Sequence[str]) -> int:
        """Return the number of texts that are cut: those with ``max_length`` words or more, since [CLS] takes a
        place.
        """
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
