"""Embed what users type and upload: texts and pictures, checked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsebench.core.errors import QueryError
from vsebench.data.pixels import decode
from vsebench.data.query import checked_image, checked_text
from vsebench.engine.embed import embed
from vsebench.engine.feature_plan import reads_features
from vsebench.engine.model import Model

BATCH = 64


def queryable(model: Model) -> tuple[str, ...]:
    """Return the modalities that a model can embed from raw input: ``text``, ``image`` or both."""
    encoders = {m: getattr(model.system, f"{m}_encoder") for m in ("text", "image") if m in model.encoders}
    return tuple(m for m, spec in encoders.items() if not reads_features(spec, m))


def refuse_modality(model: Model, modality: str) -> None:
    """Refuse a modality that a model cannot embed.

    Raises: QueryError with those that it can.
    """
    known = queryable(model)
    if modality not in known:
        others = " and ".join(known) or "nothing: its encoders read precomputed features"
        raise QueryError(f"this system cannot be asked with {modality}; it can be asked with {others}.")


def words_of(model: Model, texts: Sequence[str]) -> Any:
    """Return texts as a model's tokens.

    Raises: QueryError for an empty text, one that is too long, or a model that reads none.
    """
    refuse_modality(model, "text")
    tokenizer: Any = model.encoders["text"].tokenizer
    return tokenizer([checked_text(text) for text in texts])


def pixels_of(model: Model, image: Path | str | bytes) -> Tensor:
    """Return a picture as a model's pixels. Shape: -> uint8 (1, 3, H, W).

    Raises: QueryError for what is no picture, or a model that reads none.
    """
    refuse_modality(model, "image")
    data = checked_image(image)
    encoder: Any = model.encoders["image"]
    try:
        pixels = decode(data, encoder.preprocessing)
    except OSError as error:
        raise QueryError(f"the picture is damaged: {error}") from None
    return torch.from_numpy(pixels)[None]


def embed_texts(model: Model, texts: Sequence[str]) -> np.ndarray:
    """Embed texts, in batches. Shape: -> float32 (n, E).

    Raises: QueryError as :func:`words_of`, and for no text at all.
    """
    parts = [embed(model, "text", words_of(model, texts[i : i + BATCH])) for i in range(0, len(texts), BATCH)]
    return _joined(parts, "texts")


def embed_images(model: Model, images: Sequence[Path | str | bytes]) -> np.ndarray:
    """Embed pictures, in batches. Shape: -> float32 (n, E).

    Raises: QueryError as :func:`pixels_of`, and for no picture at all.
    """
    batches = (images[i : i + BATCH] for i in range(0, len(images), BATCH))
    parts = [embed(model, "image", torch.cat([pixels_of(model, image) for image in batch])) for batch in batches]
    return _joined(parts, "images")


def _joined(parts: Sequence[Tensor], what: str) -> np.ndarray:
    if not parts:
        raise QueryError(f"there are no {what} to embed.")
    return torch.cat([part.cpu() for part in parts]).numpy()
