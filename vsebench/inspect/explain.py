"""What a run's attention does with one item: its weights, its words, its picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from vsebench.components.metric.base import Predictions
from vsebench.core.errors import ConfigError, DataError, Place, QueryError, known_names, nearest
from vsebench.core.registry import ATTENTIONS, FUSIONS, SCORERS
from vsebench.core.types import Preprocessing, Tokens
from vsebench.data.dataset import Dataset
from vsebench.data.pixels import open_rgb
from vsebench.engine.evaluate import autocast
from vsebench.engine.loader import Loader, to_device
from vsebench.engine.model import Model
from vsebench.inspect.panels import Panel, panels_of
from vsebench.inspect.words import Piece, pieces_of
from vsebench.runs.load import LoadedRun, refuse_placebo

#: Classes that a classifier's answer names.
MOST_PREDICTED = 3


@runtime_checkable
class ShowsWeights(Protocol):
    """A scorer of pairs that can say what attends to what."""

    def weights(self, images: Tokens, texts: Tokens) -> dict[str, Tensor]:
        """Weights of each image with the text of its own row, named as an attention names its own."""
        ...


@runtime_checkable
class FusionShowsWeights(Protocol):
    """A fusion that attends, and can say to what."""

    def weights(self, tokens: Mapping[str, Tokens]) -> dict[str, Tensor]:
        """Weights of each item's tokens, named as an attention names its own."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a classifier says of an item, beside what it is: classes with their probabilities.

    Args:
        true: classes of the item; none of one without a label.
        predicted: the likeliest first.
        right: whether exactly the true classes are predicted.
    """

    true: Sequence[tuple[str, float]]
    predicted: Sequence[tuple[str, float]]
    right: bool


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is drawn of an item.

    Args:
        run: experiment, row and seed in words.
        id, caption: of the item; the caption is empty in a system that reads no text.
        number, captions: which of how many captions.
        picture: encoded; None where the item has none.
        words: the caption as the model reads it.
        grid: (h, w) of the image's last h · w tokens; None where they have no place.
        prefix: number of the image's tokens before the grid.
        preprocessing: how the encoder fits a picture; None for precomputed features.
        panels: what is drawn.
        notes: what is not, and what a reader must know.
        answer: of the classifier; None of a system without one.
    """

    run: str
    id: str
    caption: str
    number: int
    captions: int
    picture: bytes | None
    words: Sequence[Piece]
    grid: tuple[int, int] | None
    prefix: int
    preprocessing: Preprocessing | None
    panels: Sequence[Panel]
    notes: Sequence[str] = field(default_factory=tuple)
    answer: Answer | None = None

    def on_grid(self, weights: np.ndarray) -> np.ndarray | None:
        """Return the weights of image tokens on their grid, (h, w); None where they have no place."""
        if self.grid is None or len(weights) != self.prefix + self.grid[0] * self.grid[1]:
            return None
        return weights[self.prefix :].reshape(self.grid)


def explain(run: LoadedRun, item: str, *, caption: int = 1) -> Explanation:
    """Run the model on one item, alone and as evaluation does, and keep its attention weights.

    Args:
        run: a loaded run.
        item: an id of the run's dataset, of any split.
        caption: which of its captions, from 1.

    Raises: ConfigError for a system without attention; DataError for an unknown id; QueryError for a caption that the
        item does not have.
    """
    refuse_blind(run)
    dataset = run.open_dataset()
    position, split = _find(dataset, item)
    texts = dataset.texts(position) if "text" in run.system.modalities else []
    loader = Loader(dataset, split, run.system, run.model.encoders, cache=False)
    row = int(np.searchsorted(loader.positions, position))
    most = max(1, int(loader.captions_per_item[row])) if texts else 1
    if not 1 <= caption <= most:
        raise QueryError(f"item '{item}' has {most} caption{'s' * (most > 1)}; --caption must be from 1 to {most}.")
    attention, tokens, logits = attention_of(run, loader, row, caption - 1)
    masks = {m: t.mask[0].cpu().numpy() for m, t in tokens.items()}
    message = texts[caption - 1] if texts else ""
    tokenizer = getattr(run.model.encoders["text"], "tokenizer", None) if "text" in masks else None
    words = pieces_of(tokenizer, message, int(masks["text"].sum())) if "text" in masks else ()
    panels, left = panels_of(attention, masks, words)
    notes = _notes(left, words)
    grid = tokens["image"].grid if "image" in tokens else None
    return Explanation(
        run=f"{run.experiment}, {run.row}, seed {run.seed}",
        id=item,
        caption=message,
        number=caption,
        captions=len(texts),
        picture=_picture(dataset, position),
        words=words,
        grid=grid,
        prefix=0 if grid is None else int(masks["image"].sum()) - grid[0] * grid[1],
        preprocessing=getattr(run.model.encoders["image"], "preprocessing", None) if "image" in tokens else None,
        panels=panels,
        notes=notes,
        answer=None if logits is None else _answer(dataset, position, logits),
    )


def _answer(dataset: Dataset, position: int, logits: np.ndarray) -> Answer:
    """Return what logits (1, C) say of an item."""
    label = np.asarray(dataset.labels[position])
    shares = Predictions(logits, label[None], multi_label=dataset.multi_label).probabilities[0]
    ordered = np.argsort(-shares, kind="stable").tolist()
    if dataset.multi_label:
        true, chosen = set(np.flatnonzero(label > 0).tolist()), set(np.flatnonzero(shares >= 0.5).tolist())
    else:
        true, chosen = {int(label)} - {-1}, set(ordered[:1])

    def named(classes: Iterable[int]) -> list[tuple[str, float]]:
        return [(dataset.label_names[i], float(shares[i])) for i in classes]

    return Answer(named(i for i in ordered if i in true), named(ordered[:MOST_PREDICTED]), true == chosen)


@torch.inference_mode()
def attention_of(
    run: LoadedRun, loader: Loader, row: int, caption: int
) -> tuple[dict[str, Tensor], dict[str, Tokens], np.ndarray | None]:
    """All weights of an item that is alone in its batch, its tokens as the attention gets them, and its logits (1, C);
    None of a system without a classifier.

    Args:
        run: a loaded run.
        loader: of the run's dataset.
        row: of the feed.
        caption: which of its captions, from 0.
    """
    model = run.model
    batch = to_device(loader.batch(np.array([row]), np.array([caption])), run.device)
    with autocast(run.system.train.precision, run.device):
        tokens = model.encode(batch.inputs, batch.present)
        output = model(batch, keep_attention=True)
        weights: dict[str, Tensor] = dict(output.attention)
        if isinstance(model.scorer, ShowsWeights):
            weights |= model.scorer.weights(output.pair_inputs["image"], output.pair_inputs["text"])
        if isinstance(model.fusion, FusionShowsWeights):
            weights |= model.fusion.weights(tokens)
    logits = None if output.logits is None else output.logits.float().cpu().numpy()
    return weights, tokens, logits


def refuse_blind(run: LoadedRun) -> None:
    """Only a system that attends to something has something to show.

    Raises: ConfigError that says which do.
    """
    refuse_placebo(run)
    if run.system.attention.name != "none" or _shows(run.model):
        return
    scorers, fusions = (
        [name for name in kind.names() if hasattr(kind.get(name).target, "weights")] for kind in (SCORERS, FUSIONS)
    )
    attentions = [name for name in ATTENTIONS.names() if name != "none"]
    raise ConfigError(
        f"run {run.run_id} ({run.row}) attends to nothing, so there is nothing to draw. Systems that do have one of "
        f"'attention: {' | '.join(attentions)}', 'scorer: {' | '.join(scorers)}' or 'fusion: {' | '.join(fusions)}'."
    )


def _shows(model: Model) -> bool:
    return isinstance(model.scorer, ShowsWeights) or isinstance(model.fusion, FusionShowsWeights)


def _find(dataset: Dataset, item: str) -> tuple[int, str]:
    if item not in dataset.ids:
        near = nearest(item, dataset.ids, 3)
        hint = known_names((f"'{one}'" for one in near), "Near") if near else f" Its first is '{dataset.ids[0]}'."
        raise DataError(f"dataset '{dataset.name}' has no item '{item}'." + hint)
    position = dataset.ids.index(item)
    return position, next(name for name, rows in dataset.splits.items() if position in rows)


def _picture(dataset: Dataset, position: int) -> bytes | None:
    """Return whether an image can be shown: a system that reads precomputed features has not decoded it."""
    data = dataset.image_bytes(position)
    try:
        if data is not None:
            open_rgb(data)
    except OSError as error:
        raise DataError(f"the picture of '{dataset.ids[position]}': {error}", place=Place(str(dataset.path))) from None
    return data


def _notes(left: Sequence[str], words: Sequence[Piece]) -> list[str]:
    notes = []
    if left:
        notes.append(f"Not drawn, since they have no place in the picture or the text: {', '.join(left)}.")
    unknown = [piece.text for piece in words if piece.unknown]
    if unknown:
        notes.append(f"Unknown words, which are all the same to the model: {', '.join(unknown)}.")
    return notes
