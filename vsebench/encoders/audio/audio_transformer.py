"""Any audio model of transformers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.encoders._freezing import freeze, weights_digest
from vsebench.encoders.audio.base import AudioEncoder
from vsebench.errors import ConfigError
from vsebench.registry import AUDIO_ENCODERS
from vsebench.types import Sampling, Tokens, Waves

#: Shorter sounds are padded with silence: the models' first convolutions span 25 ms and more.
SHORTEST_S = 0.1


@AUDIO_ENCODERS.register(
    "audio_transformer",
    source="AST: Gong et al. 2021, arXiv:2104.01778; wav2vec 2.0: Baevski et al. 2020, arXiv:2006.11477; Wolf et al. "
    "2020, transformers",
)
class AudioTransformer(AudioEncoder):
    """Take the last hidden states of an audio model of transformers.

    ``model`` is a hub name or a local folder: AST, wav2vec 2.0, HuBERT, WavLM, Whisper (its encoder) and their like.
    Its own feature extractor says the sample rate and makes what it reads, of each sound alone; sounds go through the
    model together where that has one shape, without padding. So a sound gives the same tokens in any batch, also in
    models that normalise over time. Models of a fixed length (AST, Whisper) pad it themselves and have tokens of it.

    Differs from the sources: no SpecAugment of the model's own in training, which the run's seed would not fix.

    Args:
        model: hub name or folder.
        weights: ``hub`` (the model's own) or ``none`` (its architecture with random weights).
        finetune: ``none`` (frozen), ``last`` (the last ``layers`` train) or ``all``.
        layers: how many of the last layers train with ``finetune: last``.
        max_seconds: samples after it are cut, > 0.
        highpass: in Hz, damps what lies below it, > 0; null leaves it.
        dropout: rate in [0, 0.95] on the hidden states that come out.

    Shape: Waves (B, T) -> Tokens (B, N, hidden).

    Raises: ConfigError for a model that is not there or reads no sound, a hub that cannot be reached, more ``layers``
    than there are, ``highpass`` not below half of the sample rate.

    Example:
        >>> AudioTransformer(model="facebook/wav2vec2-base").dim_out  # doctest: +SKIP
        768
    """

    def __init__(
        self,
        *,
        model: str = "MIT/ast-finetuned-audioset-10-10-0.4593",
        weights: Literal["hub", "none"] = "hub",
        finetune: Literal["none", "last", "all"] = "none",
        layers: Annotated[int, Gt(0)] = 1,
        max_seconds: Annotated[float, Gt(0)] = 10.0,
        highpass: Annotated[float, Gt(0)] | None = None,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        self.extractor = _load("AutoFeatureExtractor", model)
        rate = getattr(self.extractor, "sampling_rate", None)
        if rate is None:
            raise ConfigError(f"'{model}' reads no sound: its feature extractor has no sampling rate.", path=("model",))
        if highpass is not None and highpass >= rate / 2:
            said = f"highpass ({highpass:g} Hz) must be below half of the model's sample rate ({rate / 2:g} Hz)."
            raise ConfigError(said, path=("highpass",))
        self.sampling = Sampling(int(rate), max_seconds, highpass)
        network = _load("AutoModel", model) if weights == "hub" else _random(model)
        self.network = network.get_encoder() if network.config.is_encoder_decoder else network
        self.network.config.apply_spec_augment = False
        self.dim_out = int(self.network.config.hidden_size)
        self.frozen = finetune == "none"
        self.trained: list[nn.Module] = [self.network]
        if finetune != "all":
            freeze([self.network])
            self.trained = [] if self.frozen else _last(self.network, layers)
        for part in self.trained:
            part.requires_grad_(True)
        if hasattr(self.network, "masked_spec_embed"):
            self.network.masked_spec_embed.requires_grad_(False)  # stands for masked frames, of which there are none
        self.drop = nn.Dropout(dropout)

    def weights_digest(self) -> str:
        """Changes with any weight, and with what the feature extractor makes of a sound."""
        said = hashlib.sha256(self.extractor.to_json_string().encode()).hexdigest()[:16]
        return f"{weights_digest(self)}-{said}"

    def train(self, mode: bool = True) -> AudioTransformer:
        """Train mode; frozen parts stay in eval mode."""
        super().train(mode)
        self.network.eval()
        for part in self.trained:
            part.train(mode)
        return self

    def forward(self, waves: Waves) -> Tokens:
        """Encode."""
        read = {row: self._read(waves, row) for row in waves.lengths.nonzero()[:, 0].tolist()}
        groups: dict[Any, list[int]] = {}
        for row, inputs in read.items():
            groups.setdefault(tuple(sorted((k, v.shape) for k, v in inputs.items())), []).append(row)
        states: dict[int, Tensor] = {}
        for rows in groups.values():
            inputs = {name: torch.stack([read[row][name] for row in rows]) for name in read[rows[0]]}
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
                found = self.network(**inputs).last_hidden_state
            states.update(zip(rows, found, strict=True))
        return self._tokens(states, waves)

    def _read(self, waves: Waves, row: int) -> dict[str, Tensor]:
        """What the model reads of one sound, as its feature extractor makes it."""
        sound = waves.values[row, : int(waves.lengths[row])].float().cpu()
        short = round(SHORTEST_S * self.sampling.sample_rate) - len(sound)
        sound = F.pad(sound, (0, max(0, short)))
        found = self.extractor(sound.numpy(), sampling_rate=self.sampling.sample_rate, return_tensors="pt")
        names = (self.network.main_input_name, "attention_mask")
        return {name: found[name][0].to(waves.values.device) for name in names if name in found}

    def _tokens(self, states: dict[int, Tensor], waves: Waves) -> Tokens:
        count, longest = len(waves.lengths), max((len(s) for s in states.values()), default=1)
        empty = torch.zeros(0, self.dim_out, device=waves.values.device)
        padded = [
            F.pad(state, (0, 0, 0, longest - len(state))) for state in (states.get(i, empty) for i in range(count))
        ]
        lengths = torch.tensor([len(states.get(i, empty)) for i in range(count)], device=waves.values.device)
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]
        return Tokens(self.drop(torch.stack(padded)), mask)


def _last(network: nn.Module, count: int) -> list[nn.Module]:
    """The last layers of the transformer, behind any convolutions."""
    names = ("layers", "layer")
    stacks = [m for n, m in network.named_modules() if isinstance(m, nn.ModuleList) and n.split(".")[-1] in names]
    found = list(stacks[-1]) if stacks else []
    if count >= len(found):
        raise ConfigError(f"layers ({count}) must be fewer than the model's {len(found)}.", path=("layers",))
    return found[len(found) - count :]


def _random(model: str) -> Any:
    from transformers import AutoModel

    return AutoModel.from_config(_load("AutoConfig", model))


def _load(what: str, model: str) -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()  # one bar per run would bury a sweep's own progress
    local = Path(model).expanduser()
    options: dict[str, Any] = {"use_safetensors": True} if what == "AutoModel" else {}
    try:
        return getattr(transformers, what).from_pretrained(str(local) if local.is_dir() else model, **options)
    except (OSError, ValueError) as error:
        where = "the folder" if local.is_dir() else "no local folder, and not in the hub or its cache:"
        first = str(error).strip().split("\n")[0].split(". ")[0]  # a list of all that it knows may follow
        raise ConfigError(f"transformers cannot load {where} '{model}': {first}", path=("model",)) from error
