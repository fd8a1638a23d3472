"""A dataset at a glance: counts as plain data, and a contact sheet of examples."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vsebench.data.dataset import Dataset
from vsebench.data.pixels import open_rgb
from vsebench.data.vocabulary import split_words

THUMB, PAD, LINES, FONT = 144, 10, 5, 13


def summary(dataset: Dataset) -> dict[str, Any]:
    """Title, facts (name -> text) and label counts per split, as plain data."""
    texts = dataset.all_texts()
    lengths = np.array([len(split_words(t)) for item in texts for t in item] or [0])
    sizes = [s for p in _sample(len(dataset), 500, 0) if (s := _size(dataset.image_bytes(int(p)))) is not None]
    facts = {
        "items": f"{len(dataset):,}",
        "splits": ", ".join(f"{k} {len(v):,}" for k, v in dataset.splits.items()),
        "split rule": dataset.provenance.get("split_rule", ""),
        "classes": f"{dataset.num_classes}{' (multi-label)' if dataset.multi_label else ''}",
        "groups": f"{len(np.unique(dataset.groups)):,}",
        "texts per item": _range(np.array([len(t) for t in texts])),
        "words per text": _range(lengths),
    }
    if sizes:
        facts["image width"] = _range(np.array([s[0] for s in sizes]))
        facts["image height"] = _range(np.array([s[1] for s in sizes]))
    for note in dataset.provenance.get("notes", []):
        facts["note"] = note
    for what, value in (dataset.provenance.get("ceilings") or {}).items():
        facts[f"best possible accuracy, {what}"] = f"{100 * value:.1f} %"
    labels = {
        name: {split: _count(dataset.labels[rows], i) for split, rows in dataset.splits.items()}
        for i, name in enumerate(dataset.label_names)
    }
    return {"title": dataset.title, "fingerprint": dataset.fingerprint, "facts": facts, "labels": labels}


def contact_sheet(
    dataset: Dataset, path: Path, *, split: str = "train", rows: int = 4, columns: int = 6, seed: int = 0
) -> None:
    """Draw examples of a split with label and text below each, as PNG."""
    positions = dataset.splits[split]
    chosen = positions[_sample(len(positions), rows * columns, seed)]
    font = ImageFont.load_default(size=FONT)
    cell_height = THUMB + (LINES + 1) * (FONT + 3) + PAD
    sheet = Image.new("RGB", (columns * (THUMB + PAD) + PAD, rows * cell_height + PAD), "white")
    draw = ImageDraw.Draw(sheet)
    for i, position in enumerate(chosen):
        x, y = PAD + i % columns * (THUMB + PAD), PAD + i // columns * cell_height
        data = dataset.image_bytes(int(position))
        if data is not None:
            picture = open_rgb(data)
            picture.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
            if max(picture.size) < THUMB:
                factor = THUMB // max(picture.size)
                picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
            sheet.paste(picture, (x + (THUMB - picture.width) // 2, y + (THUMB - picture.height) // 2))
        label = _label(dataset, int(position))
        draw.text((x, y + THUMB + 2), _fit(draw, label, font), fill="#b00020", font=font)
        said = (dataset.texts(int(position)) or [""])[0]
        for number, line in enumerate(textwrap.wrap(said, width=THUMB // 7)[:LINES]):
            draw.text((x, y + THUMB + 2 + (number + 1) * (FONT + 3)), _fit(draw, line, font), fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")


def _fit(draw: ImageDraw.ImageDraw, text: str, font: Any) -> str:
    if draw.textlength(text, font=font) <= THUMB:
        return text
    while text and draw.textlength(text + "…", font=font) > THUMB:
        text = text[:-1]
    return text + "…"


def _label(dataset: Dataset, position: int) -> str:
    label = dataset.labels[position]
    if dataset.multi_label:
        return ", ".join(dataset.label_names[i] for i in np.flatnonzero(label))
    return dataset.label_names[int(label)]


def _sample(count: int, wanted: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(count)[:wanted])


def _size(data: bytes | None) -> tuple[int, int] | None:
    return None if data is None else open_rgb(data).size


def _range(values: np.ndarray) -> str:
    low, middle, high = int(values.min()), float(np.median(values)), int(values.max())
    return str(low) if low == high else f"{low} to {high}, median {middle:g}"


def _count(labels: np.ndarray, number: int) -> int:
    return int(labels[:, number].sum()) if labels.ndim > 1 else int((labels == number).sum())
