"""Any audio model of transformers."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, cast

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.audio_encoder.base import AudioEncoder
from vsebench.components.encoder._local import ModelOrFolder
from vsebench.components.encoder._pretrained import Source, encoder_of, reason, source_of
from vsebench.core.errors import ConfigError
from vsebench.core.registry import AUDIO_ENCODERS
from vsebench.core.types import AudioPreprocessing, Tokens, Waveforms
from vsebench.ops.freezing import freeze, weights_digest

#: Shorter sounds are padded with silence: the models' first convolutions span 25 ms and more.
SHORTEST_S = 0.1
_MASKED = "masked_spec_embed"


@AUDIO_ENCODERS.register(
    "audio_transformer",
    source="AST: Gong et al. 2021, arXiv:2104.01778; wav2vec 2.0: Baevski et al. 2020, arXiv:2006.11477; Wolf et al. "
    "2020, transformers",
)
class AudioTransformer(ModelOrFolder, AudioEncoder):
    """Take the last hidden states of an audio model of transformers.

    ``model`` is a hub name or a local folder: AST, wav2vec 2.0, HuBERT, WavLM, Whisper (its encoder) and their like.
    Its own feature extractor says the sample rate and makes what it reads, of each sound alone; sounds go through the
    model together where that has one shape, without padding. So a sound gives the same tokens in any batch, also in
    models that normalise over time. Models of a fixed length (AST, Whisper) pad it themselves and have tokens of it.

    Differs from the sources: no SpecAugment of the model's own in training, which the run's seed would not fix.

    Args:
        model: hub name or folder.
        weights: ``hub`` (the model's own) or ``none`` (its architecture with random weights).
        revision: branch, tag or commit of a hub name; its main branch by default. The commit is recorded with the run.
        finetune: ``none`` (frozen), ``last`` (the last ``layers`` train) or ``all``.
        layers: how many of the last layers train with ``finetune: last``.
        max_seconds: samples after it are cut, > 0.
        highpass: in Hz, damps what lies below it, > 0; null leaves it.
        dropout: rate in [0, 0.95] on the hidden states that come out.

    Shape: Waves (B, T) -> Tokens (B, N, hidden).

    Raises: ConfigError for a model that is not there or reads no sound, a hub that cannot be reached, tensors that are
    missing or left over, a feature extractor whose sounds the model cannot read, more ``layers`` than there are,
    ``highpass`` not below half of the sample rate.

    Example:
        >>> AudioTransformer(model="facebook/wav2vec2-base").dim_out  # doctest: +SKIP
        768
    """

    def __init__(
        self,
        *,
        model: str = "MIT/ast-finetuned-audioset-10-10-0.4593",
        weights: Literal["hub", "none"] = "hub",
        revision: str | None = None,
        finetune: Literal["none", "last", "all"] = "none",
        layers: Annotated[int, Gt(0)] = 1,
        max_seconds: Annotated[float, Gt(0)] = 10.0,
        highpass: Annotated[float, Gt(0)] | None = None,
        dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0,
    ) -> None:
        super().__init__()
        source = source_of(model, revision)
        self.origin = source.origin
        self.extractor = source.load("AutoFeatureExtractor")
        rate = getattr(self.extractor, "sampling_rate", None)
        if rate is None:
            raise ConfigError(f"'{model}' reads no sound: its feature extractor has no sampling rate.", path=("model",))
        if highpass is not None and highpass >= rate / 2:
            message = f"highpass ({highpass:g} Hz) must be below half of the model's sample rate ({rate / 2:g} Hz)."
            raise ConfigError(message, path=("highpass",))
        self.sampling = AudioPreprocessing(int(rate), max_seconds, highpass)
        # Nothing reads the vector that stands for masked frames, of which there are none.
        self.network: Any = source.network(encoder_of, (_MASKED,)) if weights == "hub" else encoder_of(source.random())
        cast(Any, self.network).config.apply_spec_augment = False
        self.dim_out = int(getattr(self.network.config, "hidden_size", 0))
        self._check_reading(source)
        self.frozen = finetune == "none"
        self.trained: list[nn.Module] = [self.network]
        if finetune != "all":
            freeze([self.network])
            self.trained = [] if self.frozen else _last(self.network, layers)
        for part in self.trained:
            part.requires_grad_(True)
        if hasattr(self.network, _MASKED):
            getattr(self.network, _MASKED).requires_grad_(False)
        self.drop = nn.Dropout(dropout)

    @torch.no_grad()
    def _check_reading(self, source: Source) -> None:
        """Read a short sound: the feature extractor must make what the model takes."""
        modes = {module: module.training for module in self.network.modules()}
        self.network.eval()
        rate = self.sampling.sample_rate
        sound = torch.sin(torch.arange(rate // 2) / 20)[None]
        try:
            inputs = self._read(Waveforms(sound, torch.tensor([rate // 2])), 0)
            states = self.network(**{name: value[None] for name, value in inputs.items()})
            fits = states.last_hidden_state.shape[::2] == (1, self.dim_out)
        except Exception as error:  # whatever a model that wants something else raises
            raise ConfigError(
                f"'{source.model}' ({type(self.network).__name__}) cannot read what its feature extractor "
                f"({type(self.extractor).__name__}) makes of a sound: {type(error).__name__}: {reason(error)}.",
                path=("model",),
            ) from error
        finally:
            for module, mode in modes.items():
                module.training = mode
        if not fits:
            raise ConfigError(
                f"'{source.model}' ({type(self.network).__name__}) gives no sequence of vectors over time, which this "
                "encoder takes.",
                path=("model",),
            )

    def weights_digest(self) -> str:
        """Return a digest of all weights and of the feature extractor's output for a fixed sound."""
        extractor_digest = hashlib.sha256(self.extractor.to_json_string().encode()).hexdigest()[:16]
        return f"{weights_digest(self)}-{extractor_digest}"

    def train(self, mode: bool = True) -> AudioTransformer:
        """Train mode; frozen parts stay in eval mode."""
        super().train(mode)
        self.network.eval()
        for part in self.trained:
            part.train(mode)
        return self

    def forward(self, waveforms: Waveforms) -> Tokens:
        """Encode."""
        read = {row: self._read(waveforms, row) for row in waveforms.lengths.nonzero()[:, 0].tolist()}
        groups: dict[Any, list[int]] = {}
        for row, inputs in read.items():
            groups.setdefault(tuple(sorted((k, v.shape) for k, v in inputs.items())), []).append(row)
        states: dict[int, Tensor] = {}
        for rows in groups.values():
            inputs = {name: torch.stack([read[row][name] for row in rows]) for name in read[rows[0]]}
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
                result = self.network(**inputs).last_hidden_state
            states.update(zip(rows, result, strict=True))
        return self._tokens(states, waveforms)

    def _read(self, waveforms: Waveforms, row: int) -> dict[str, Tensor]:
        """Return the model's inputs for one sound, as its feature extractor makes them."""
        sound = waveforms.values[row, : int(waveforms.lengths[row])].float().cpu()
        short = round(SHORTEST_S * self.sampling.sample_rate) - len(sound)
        sound = F.pad(sound, (0, max(0, short)))
        result = self.extractor(sound.numpy(), sampling_rate=self.sampling.sample_rate, return_tensors="pt")
        names = (self.network.main_input_name, "attention_mask")
        return {name: result[name][0].to(waveforms.values.device) for name in names if name in result}

    def _tokens(self, states: dict[int, Tensor], waveforms: Waveforms) -> Tokens:
        count, longest = len(waveforms.lengths), max((len(s) for s in states.values()), default=1)
        empty = torch.zeros(0, self.dim_out, device=waveforms.values.device)
        padded = [
            F.pad(state, (0, 0, 0, longest - len(state))) for state in (states.get(i, empty) for i in range(count))
        ]
        lengths = torch.tensor([len(states.get(i, empty)) for i in range(count)], device=waveforms.values.device)
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]
        return Tokens(self.drop(torch.stack(padded)), mask)


def _last(network: nn.Module, count: int) -> list[nn.Module]:
    """Return the last layers of the transformer, behind any convolutions."""
    names = ("layers", "layer")
    stacks = [m for n, m in network.named_modules() if isinstance(m, nn.ModuleList) and n.split(".")[-1] in names]
    results = list(stacks[-1]) if stacks else []
    if count >= len(results):
        raise ConfigError(f"layers ({count}) must be fewer than the model's {len(results)}.", path=("layers",))
    return results[len(results) - count :]
