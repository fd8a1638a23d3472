"""Observers who read everything of a generated item and decide best, to compare with the known ceilings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import cast

import numpy as np

from vsebench.data.builders.vqa_garments import LOOKS
from vsebench.data.dataset import Dataset
from vsebench.data.garments import delivery, latent, questions
from vsebench.data.scenes.ceilings import OBSERVERS, ceilings, shares
from vsebench.data.scenes.model import (
    GARMENTS,
    SILHOUETTES,
    USE_WEIGHTS,
    USES,
    Garment,
    Message,
    Scene,
    answer,
    likelihood,
)

Posterior = Mapping[str, Fraction]


def image_posterior(scene: Scene) -> Posterior:
    """Return P(class | picture), without the classes that are impossible."""
    count = len(scene.garments)
    related = shares()[3, "relation"] / Fraction(GARMENTS[3], sum(GARMENTS.values()))
    middle = (1 - related) / 3  # a relation among three starts from the middle one
    chance = [(1 - middle) / 2, middle, (1 - middle) / 2] if count == 3 else [Fraction(1, count)] * count
    return {
        f"{use} {garment.silhouette}": share / len(USES)
        for garment, share in zip(scene.garments, chance, strict=True)
        for use in USES
    }


def text_posterior(message: Message) -> Posterior:
    """Return P(class | caption), without the classes that are impossible."""
    if message.code is not None:
        uses = {"casual": Fraction(1, 2), "formal": Fraction(1, 2)}
    else:
        weight = sum(USE_WEIGHTS[use] for use in message.uses)
        uses = {use: Fraction(USE_WEIGHTS[use], weight) for use in message.uses}
    shapes = (message.silhouette,) if message.silhouette else SILHOUETTES
    return {f"{use} {shape}": share / len(shapes) for use, share in uses.items() for shape in shapes}


def chances(scene: Scene, message: Message, label: str) -> dict[str, float]:
    """Return each observer's chance to name an item's class, ties decided by lot."""
    image, text = image_posterior(scene), text_posterior(message)
    both = {name: image[name] * text[name] for name in image if name in text}  # classes are equally frequent
    target, use = answer(scene, message)
    exact = {f"{use} {scene.garments[target].silhouette}": Fraction(1)}
    return {
        observer: _chance(posterior, label)
        for observer, posterior in zip(OBSERVERS, (image, text, both, exact), strict=True)
    }


def _chance(posterior: Posterior, label: str) -> float:
    best = max(posterior.values())
    chosen = [name for name, p in posterior.items() if p == best]
    return (label in chosen) / len(chosen)


def retrieval_scores(messages: Sequence[Message], scenes: Sequence[Scene]) -> np.ndarray:
    """Return P(scene | caption) among some scenes, the best score to rank either by. Shape: float64 (M, S)."""
    scores = np.zeros((len(messages), len(scenes)))
    places: dict[str, list[int]] = {}
    for i, scene in enumerate(scenes):
        places.setdefault(scene.setting, []).append(i)
    for row, message in zip(scores, messages, strict=True):
        for i in places.get(message.setting, ()):
            row[i] = likelihood(message, scenes[i])
    return scores / np.maximum(scores.sum(1, keepdims=True), np.finfo(float).tiny)


def rows() -> Iterator[tuple[str, float, dict[str, float]]]:
    """Yield name, share of the items and ceilings: of all items, then kind by kind."""
    of_kind: dict[str, Fraction] = {"all": Fraction(1)}
    for (_, kind), share in shares().items():
        of_kind[kind] = of_kind.get(kind, Fraction(0)) + share
    table = ceilings()
    for name, share in of_kind.items():
        yield name, float(share), table[name]


def stored_scene(dataset: Dataset, position: int) -> tuple[Scene, Message]:
    """Return what an item's picture shows and what its caption says, from the stored attributes."""
    attributes = dataset.attributes(position)
    garments = tuple(Garment(**garment) for garment in json.loads(attributes["garments"]))
    return Scene(garments, attributes["setting"]), Message.from_json(attributes["message"])


def scene_oracle(dataset: Dataset, split: str) -> dict[str, dict[str, float]]:
    """Return the accuracy on a split of observers who read everything and decide best, over all items and by kind."""
    right: dict[str, dict[str, list[float]]] = {}
    for position in dataset.splits[split]:
        scene, message = stored_scene(dataset, int(position))
        result = chances(scene, message, dataset.label_names[dataset.labels[position]])
        for name in ("all", message.kind):
            for observer in OBSERVERS:
                right.setdefault(name, {o: [] for o in OBSERVERS})[observer].append(result[observer])
    return {name: {o: float(np.mean(values)) for o, values in table.items()} for name, table in right.items()}


def mmfrb_oracle(dataset: Dataset, split: str) -> dict[str, float]:
    """Compute the accuracy of the best decision from all evidence in a split: from image, from text, from both."""
    right: dict[str, list[bool]] = {"image alone": [], "text alone": [], "both": []}
    for position in dataset.splits[split]:
        attributes = dataset.attributes(int(position))
        label = dataset.label_names[dataset.labels[position]]
        seen, read = attributes["image_evidence"], attributes["text_evidence"]
        for name, evidence in (("image alone", (seen, None)), ("text alone", (None, read)), ("both", (seen, read))):
            right[name].append(latent.decide(evidence) == label)
    return {name: float(np.mean(values)) for name, values in right.items()}


def vqa_oracle(dataset: Dataset, split: str) -> dict[str, float]:
    """Compute the accuracy of the best decision from all evidence in a split, for each set of modalities seen."""
    right: dict[questions.Look, list[bool]] = {look: [] for look in LOOKS}
    for position in dataset.splits[split]:
        attributes = dataset.attributes(int(position))
        label = dataset.label_names[dataset.labels[position]]
        for look, values in right.items():
            values.append(
                questions.decide(look, attributes["question_evidence"], attributes["image_evidence"]) == label
            )
    return {look: float(np.mean(values)) for look, values in right.items()}


def audio_oracle(dataset: Dataset, split: str) -> dict[str, float]:
    """Compute the accuracy of the best decision from all evidence in a split, for each set of modalities seen."""
    missing = int(dataset.provenance["lacking"])
    right: dict[str, list[bool]] = {name: [] for name in delivery.looks()}
    for position in dataset.splits[split]:
        attributes = dataset.attributes(int(position))
        evidence = cast(delivery.Evidence, tuple(attributes[f"{m}_evidence"] for m in ("image", "text", "audio")))
        label = dataset.label_names[dataset.labels[position]]
        for name, subset in delivery.looks().items():
            right[name].append(delivery.decide(subset, evidence, missing) == label)
    return {name: float(np.mean(values)) for name, values in right.items()}
