"""Attention weights of one item, sorted into what can be drawn: maps over the image, weights of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vsebench.inspect.words import Piece

_NAMES = {"scan": "SCAN", "co_attention": "Co-attention"}
_STEPS = {
    "dan_m": "m-DAN, what each step reads of the {over}",
    "dan_r": "r-DAN, what each step reads of the {over}",
    "inter": "Inter-attention, what each iteration reads of the {over}",
    "self": "Self-attention, how much each part of the {over} is attended to",
}


@dataclass(frozen=True, eq=False)
class Panel:
    """Weights that are drawn side by side, on one scale.

    Args:
        title: what attends to what.
        over: the modality whose tokens the weights are of.
        labels: of the rows: a word, a step, a layer.
        weights: float64 (rows, N), N real tokens of ``over``.
        even: the weight that all would have if none were preferred.
    """

    title: str
    over: str
    labels: Sequence[Piece]
    weights: np.ndarray
    even: float

    @property
    def scale(self) -> tuple[float, float]:
        """The weights that are drawn clear and hottest: the even share, and the largest one, though not less than
        twice the even share, so that what is almost even looks so."""
        top = max(float(self.weights.max(initial=0.0)), 2 * self.even)
        return self.even, top


def panels_of(
    attention: Mapping[str, Tensor], masks: Mapping[str, np.ndarray], words: Sequence[Piece]
) -> tuple[list[Panel], list[str]]:
    """Sort an item's weights.

    Args:
        attention: name -> weights of a batch of one item; of heads, the mean is drawn.
        masks: modality -> bool (N,), which of its tokens are real, in the order of the model's modalities.
        words: of the text, one per real token.

    Returns: the panels, and the names that cannot be drawn.
    """
    panels: list[Panel] = []
    steps: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {}
    left: list[str] = []
    for name, tensor in attention.items():
        weights = tensor[0].double().cpu().numpy()
        kind, *rest = name.split("/")
        step = _step(kind, rest, weights, masks)
        if name == "intra":
            panels += _intra(weights.mean(0), masks, words)
        elif rest and rest[0] in ("text_to_image", "image_to_text"):
            layer = f", layer {int(rest[1]) + 1}" if len(rest) > 1 else ""
            title = _NAMES.get(kind, f"{kind.replace('_', ' ').capitalize()} attention") + layer
            result = _crossed(weights.mean(0), rest[0], title, masks, words)
            panels += result
            left += [] if result else [name]
        elif step is not None:
            over, label, shares = step
            steps.setdefault((kind, over), []).append((label, shares[masks[over]]))
        else:
            left.append(name)
    for (kind, over), rows in steps.items():
        if masks[over].any():
            stacked = np.stack([shares for _, shares in rows])
            labels = [Piece(label) for label, _ in rows]
            panels.append(Panel(_STEPS[kind].format(over=over), over, labels, stacked, _even(stacked.shape[1])))
    return panels, left


def _step(
    kind: str, rest: Sequence[str], weights: np.ndarray, masks: Mapping[str, np.ndarray]
) -> tuple[str, str, np.ndarray] | None:
    """Modality, label and weights (N,) of what reads one modality step by step; None for anything else."""
    if kind == "inter" and rest[0] == "regions":
        return "image", f"iteration {int(rest[1]) + 1}", weights
    if kind in ("dan_m", "dan_r"):
        return rest[0], f"step {rest[1]}", weights
    if kind == "self" and len(rest) == 2:
        real = weights[:, masks[rest[0]]]  # padded queries attend to something too
        return rest[0], f"layer {int(rest[1]) + 1}", real.mean((0, 1)) if real.size else weights[0, 0]
    return None


def _crossed(
    weights: np.ndarray, way: str, title: str, masks: Mapping[str, np.ndarray], words: Sequence[Piece]
) -> list[Panel]:
    """Weights (query, key) between text and image; nothing where they are not of the encoders' tokens."""
    sides = ("text", "image") if way == "text_to_image" else ("image", "text")
    if weights.shape != tuple(len(masks[m]) for m in sides) or not all(masks[m].any() for m in sides):
        return []
    weights = weights[np.ix_(*(masks[m] for m in sides))]
    even = _even(weights.shape[1])
    if way == "text_to_image":
        return [_by_word(f"{title}: where each word looks", weights, words, even)]
    read = weights.mean(0, keepdims=True)
    return [
        Panel(f"{title}: which regions look at each word", "image", list(words), weights.T, even),
        Panel(f"{title}: which words the regions look at", "text", [Piece("mean of all regions")], read, even),
    ]


def _by_word(title: str, weights: np.ndarray, words: Sequence[Piece], even: float) -> Panel:
    """Return a map for each word, after that of their mean."""
    rows = np.concatenate([weights.mean(0, keepdims=True), weights])
    return Panel(title, "image", [Piece("mean of all words"), *words], rows, even)


def _intra(weights: np.ndarray, masks: Mapping[str, np.ndarray], words: Sequence[Piece]) -> list[Panel]:
    """Blocks of one softmax over the tokens of all modalities, (N, N)."""
    starts = dict(zip(masks, np.cumsum([0, *map(len, masks.values())]).tolist(), strict=False))
    real = {m: starts[m] + np.flatnonzero(mask) for m, mask in masks.items() if mask.any()}
    even = _even(sum(map(len, real.values())))
    panels = []
    if "text" in real and "image" in real:
        seen, read = (weights[np.ix_(real[a], real[b])] for a, b in (("text", "image"), ("image", "text")))
        panels.append(_by_word("Intra-attention: where each word looks", seen, words, even))
        title = "Intra-attention: which regions look at each word"
        panels.append(Panel(title, "image", list(words), read.T, even))
    for over in real:
        rows = np.stack([weights[np.ix_(real[m], real[over])].mean(0) for m in real])
        title = f"Intra-attention: how much each part of the {over} is attended to"
        panels.append(Panel(title, over, [Piece(f"from the {m}") for m in real], rows, even))
    return panels


def _even(count: int) -> float:
    return 1.0 / max(1, count)
