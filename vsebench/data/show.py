"""A dataset at a glance: counts as plain data, and a contact sheet of examples."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vsebench.core.errors import DataError, did_you_mean, known_names
from vsebench.core.files import make_folder, replacing
from vsebench.data.dataset import Dataset
from vsebench.data.pixels import decoded, open_rgb
from vsebench.data.vocabulary import split_words

THUMB, PAD, LINES, FONT = 144, 10, 5, 13
LINE = FONT + 3
SAMPLED = 500  # images whose size is read
#: Encoded picture or None, title, text.
Cell = tuple[bytes | None, str, str]
NO_GLYPH = "\uffff"  # never a character: every font draws its box for a missing glyph


def summary(dataset: Dataset) -> dict[str, Any]:
    """Title, facts (name -> text) and label counts per split, as plain data."""
    texts = dataset.all_texts()
    lengths = np.array([len(split_words(t)) for item in texts for t in item] or [0])
    sizes = [s for p in _sample(len(dataset), SAMPLED, 0) if (s := _size(dataset.image_bytes(int(p)))) is not None]
    facts = {
        "items": f"{len(dataset):,}",
        "splits": ", ".join(f"{k} {len(v):,}" for k, v in dataset.splits.items()),
        "split rule": dataset.provenance.get("split_rule", ""),
        "classes": f"{dataset.num_classes}{' (multi-label)' if dataset.multi_label else ''}",
        "groups": f"{len(np.unique(dataset.groups)):,}",
        "sets": ", ".join(f"{k} {len(v):,}" for k, v in dataset.sets.items()),
        "texts per item": _range(np.array([len(t) for t in texts])),
        "words per text": _range(lengths),
    }
    if sizes:
        facts["image width"] = _range(np.array([s[0] for s in sizes]))
        facts["image height"] = _range(np.array([s[1] for s in sizes]))
    for modality, dim in dataset.feature_dims.items():
        facts[f"{modality} features"] = f"{_range(dataset.feature_counts(modality))} of {dim} numbers"
    sounds = sum(dataset.audio_bytes(i) is not None for i in range(len(dataset))) if dataset.has("audio") else 0
    if sounds:
        facts["sounds"] = f"{sounds:,}"
    notes = dataset.provenance.get("notes", [])
    facts |= {f"note {i}" if len(notes) > 1 else "note": note for i, note in enumerate(notes, start=1)}
    skipped = dataset.provenance.get("skipped_rows", 0)
    if skipped:
        facts["left out"] = f"{skipped:,} bad rows"
    for what, value in (dataset.provenance.get("ceilings") or {}).items():
        facts[f"best possible accuracy, {what}"] = f"{100 * value:.1f} %"
    facts = {name: value for name, value in facts.items() if value}
    labels = {
        name: {split: _count(dataset.labels[rows], i) for split, rows in dataset.splits.items()}
        for i, name in enumerate(dataset.label_names)
    }
    return {"title": dataset.title, "fingerprint": dataset.fingerprint, "facts": facts, "labels": labels}


def contact_sheet(
    dataset: Dataset, path: Path, *, split: str = "train", rows: int = 4, columns: int = 6, seed: int = 0
) -> None:
    """Draw examples of a split with label and first text below each, as PNG.

    Pillow's own font has few letters: accents are left out where it lacks the accented letter, and characters
    without any glyph are drawn as one box.

    Raises: DataError for a split that the dataset does not have.
    """
    if split not in dataset.splits:
        raise DataError(f"no split '{split}'." + did_you_mean(split, dataset.splits) + known_names(dataset.splits))
    positions = dataset.splits[split]
    chosen = [int(p) for p in positions[_sample(len(positions), rows * columns, seed)]]
    cells = [(dataset.image_bytes(p), _label(dataset, p), (dataset.texts(p) or [""])[0]) for p in chosen]
    draw_sheet(cells, path, columns=columns)


def draw_sheet(cells: Sequence[Cell | None], path: Path, *, columns: int) -> None:
    """Draw pictures with a title and a text below each, row by row, as PNG; a place that is None stays empty.

    Raises: DiskError where it cannot be written; nothing of it is left then.
    """
    cell_lines = [([], []) if c is None else (_wrap(c[1], 1), _wrap(c[2], LINES)) for c in cells]
    lines = 1 + max((len(text) for _, text in cell_lines), default=0)
    cell_height = THUMB + 2 + lines * LINE + PAD
    shown_rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * (THUMB + PAD) + PAD, shown_rows * cell_height + PAD), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (cell, (label, text)) in enumerate(zip(cells, cell_lines, strict=True)):
        if cell is None:
            continue
        x, y = PAD + i % columns * (THUMB + PAD), PAD + i // columns * cell_height
        picture = _thumbnail(cell[0])
        if picture is None:
            draw.rectangle((x, y, x + THUMB - 1, y + THUMB - 1), outline="#b0b0b0")
        else:
            sheet.paste(picture, (x + (THUMB - picture.width) // 2, y + (THUMB - picture.height) // 2))
        for number, line in enumerate([*(label or [""]), *text]):
            at = (x, y + THUMB + 2 + number * LINE)
            draw.text(at, line, fill="black" if number else "#b00020", font=_font())
    make_folder(path.parent)
    with replacing(path) as partial:
        sheet.save(partial, "PNG")


def _thumbnail(data: bytes | None) -> Image.Image | None:
    try:
        with decoded(data or b"", side=THUMB) as (picture, _):
            picture.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
    except OSError:
        return None
    factor = THUMB // max(picture.size)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


@cache
def _font() -> Any:
    return ImageFont.load_default(size=FONT)


@cache
def _drawable(character: str) -> str:
    """Return the character, or the letters in it that have glyphs, or the sign for none."""
    font = _font()
    missing = bytes(font.getmask(NO_GLYPH))

    def has_glyph(one: str) -> bool:
        return one == " " or (one.isprintable() and bytes(font.getmask(one)) != missing)

    if has_glyph(character):
        return character
    return "".join(c for c in unicodedata.normalize("NFKD", character) if has_glyph(c)) or NO_GLYPH


def _wrap(text: str, most: int) -> list[str]:
    """At most so many lines, each no wider than a thumbnail; words are divided only where one is too wide."""
    drawn = ""
    for character in " ".join(unicodedata.normalize("NFC", text).split()):
        glyphs = _drawable(character)
        if not (glyphs == NO_GLYPH and drawn.endswith(NO_GLYPH)):
            drawn += glyphs
    lines: list[str] = []
    for word in drawn.split():
        if lines and _width(f"{lines[-1]} {word}") <= THUMB:
            lines[-1] += f" {word}"
            continue
        while _width(word) > THUMB and len(lines) <= most:
            end = next(n for n in range(1, len(word)) if _width(word[: n + 1]) > THUMB)
            lines.append(word[:end])
            word = word[end:]
        lines.append(word)
        if len(lines) > most:
            break
    if len(lines) > most:
        lines = lines[:most]
        while _width(lines[-1] + "...") > THUMB:
            lines[-1] = lines[-1][:-1]
        lines[-1] += "..."
    return lines


def _width(text: str) -> float:
    return float(_font().getlength(text))


def _label(dataset: Dataset, position: int) -> str:
    label = dataset.labels[position]
    if dataset.multi_label:
        return ", ".join(dataset.label_names[i] for i in np.flatnonzero(label))
    return dataset.label_names[int(label)] if dataset.label_names else ""


def _sample(count: int, wanted: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(count)[:wanted])


def _size(data: bytes | None) -> tuple[int, int] | None:
    try:
        return open_rgb(data or b"").size
    except OSError:  # no image, or a damaged one: 'data check' names it
        return None


def _range(values: np.ndarray) -> str:
    low, high = int(values.min()), int(values.max())
    if low == high:
        return str(low)
    fifth, middle, most = (f"{q:g}" for q in np.quantile(values, (0.05, 0.5, 0.95)))
    return f"{low} to {high}, median {middle}, 90 % from {fifth} to {most}"


def _count(labels: np.ndarray, number: int) -> int:
    return int(labels[:, number].sum()) if labels.ndim > 1 else int((labels == number).sum())
