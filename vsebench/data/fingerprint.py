"""What a dataset's fingerprint is made of: its content, whatever its storage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def content_digest(
    meta: Mapping[str, Any],
    items: Sequence[bytes],
    labels: np.ndarray,
    split: np.ndarray,
    groups: np.ndarray,
    sets: Mapping[str, np.ndarray],
) -> str:
    """Compute the fingerprint: 16 hexadecimal digits over items, labels, splits, groups and sets, whatever their
    storage.
    """
    digest = hashlib.sha256()
    order: dict[str, Any] = {
        "names": meta["label_names"],
        "multi_label": meta["multi_label"],
        "relevance": meta["relevance"],
    }
    if sets:
        order["sets"] = {name: positions.tolist() for name, positions in sets.items()}
    digest.update(json.dumps(order, sort_keys=True, ensure_ascii=False).encode())
    for i, part in enumerate(items):
        digest.update(part)
        digest.update(labels[i].tobytes() + bytes([int(split[i])]) + int(groups[i]).to_bytes(8, "little"))
    return digest.hexdigest()[:16]


def item_digest(
    one: str,
    image: bytes,
    texts: Sequence[str],
    boxes: bytes,
    attributes: str,
    marks: np.ndarray | None,
    audio: bytes = b"",
    features: Mapping[str, np.ndarray] | None = None,
    answers: str = "",
) -> bytes:
    """Digest of an item's content; the reader's check computes it again."""
    parts = [one.encode(), image, *(t.encode() for t in texts), boxes, attributes.encode()]
    parts.append(b"" if marks is None else np.nan_to_num(marks, nan=-1.0).tobytes())
    if audio:
        parts.append(b"audio " + audio)
    if answers:
        parts.append(b"answers " + answers.encode())
    for modality, values in sorted((features or {}).items()):
        if not len(values):  # as good as none
            continue
        narrow = np.asarray(values, np.float16 if values.dtype == np.float16 else np.float32)
        parts.append(f"features {modality} {narrow.shape} ".encode() + narrow.tobytes())
    return hashlib.sha256(
        b"".join(piece for part in parts for piece in (len(part).to_bytes(8, "little"), part))
    ).digest()
