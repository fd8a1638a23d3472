"""Embeds a gallery once: a split of the run's dataset, or the files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vsebench.components.encoder.base import Encoders
from vsebench.components.index.base import Index, unit_rows
from vsebench.core.errors import ConfigError, DataError, Place, QueryError, did_you_mean, known_names
from vsebench.core.registry import INDEXES
from vsebench.data.dataset import Dataset
from vsebench.data.pixels import decode
from vsebench.data.query import checked_image
from vsebench.engine.embed import embed, pair_inputs
from vsebench.engine.feature_plan import reads_features
from vsebench.engine.loader import Loader
from vsebench.ops.freezing import weights_digest
from vsebench.retrieval.collection import CollectionItem, Manifest, Sides, refuse_existing, write_collection
from vsebench.runs.load import LoadedRun, refuse_placebo

BATCH = 64
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Embedded:
    """Items with their unit vectors, float32 (n, D), where they come from, and what a scorer of pairs keeps of them."""

    items: Sequence[CollectionItem]
    vectors: np.ndarray
    source: Mapping[str, Any]
    notes: Sequence[str] = ()
    pair_inputs: Sides | None = None


def make_collection(
    run: LoadedRun,
    embedded: Embedded,
    modality: str,
    folder: Path,
    *,
    index: str = "flat",
    options: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Manifest:
    """Put embedded items into an index and write both, with the run's files, to a folder.

    Args:
        run: that embedded them.
        embedded: items and their vectors.
        modality: of the items.
        folder: of the new gallery.
        index: a registered name.
        options: of the index.
        force: replace a gallery of that name.

    Raises: ConfigError for an unknown index or option; DataError for a folder that must not be replaced, or two items
        of one id.
    """
    refuse_existing(folder, force)
    seen: dict[str, int] = {}
    for item in embedded.items:
        seen[item.id] = seen.get(item.id, 0) + 1
    if len(seen) < len(embedded.items):
        raise DataError("ids are not unique.", problems=[f"'{name}': {n} items" for name, n in seen.items() if n > 1])
    checked = INDEXES.get(index).validate(options or {})
    built: Index = INDEXES.build(index, checked, dim=embedded.vectors.shape[1])
    built.train(embedded.vectors)
    built.add(np.arange(len(embedded.items)), embedded.vectors)
    manifest = Manifest(
        run={"run_id": run.run_id, "experiment": run.experiment, "row": run.row, "seed": run.seed},
        model=weights_digest(run.model),
        modality=modality,
        count=len(embedded.items),
        dim=int(embedded.vectors.shape[1]),
        index={"name": index, "options": checked},
        source=embedded.source,
        scorer=None if embedded.pair_inputs is None or run.system.scorer is None else run.system.scorer.name,
    )
    return write_collection(
        folder,
        manifest,
        embedded.items,
        embedded.vectors,
        built,
        run_files=run.files,
        sides=embedded.pair_inputs,
        force=force,
    )


def near_chance(run: LoadedRun, modality: str) -> str | None:
    """Return a warning where the run's own test recall, of queries for items of this modality, is near chance.

    Near is a sum over the depths that were measured of less than twice a random order's. Depths at which chance finds
    more than a fifth say nothing of that.
    """
    way, metrics = {"image": "t2i", "text": "i2t"}[modality], run.result.metrics
    prefix = f"test/{way}/chance/recall@"
    chance = {f"recall@{k.removeprefix(prefix)}": v for k, v in metrics.items() if k.startswith(prefix) and v <= 0.2}
    value = {name: metrics[f"test/{way}/{name}"] for name in chance}
    if not chance or sum(value.values()) >= 2 * sum(chance.values()):
        return None
    shown = ", ".join(f"{name} {100 * value[name]:.1f} % (chance {100 * chance[name]:.1f} %)" for name in chance)
    return (
        f"on the run's own test split, {way} {shown}: its hits mean little. An objective that contrasts items, such as "
        "info_nce, gives embeddings that rank."
    )


def embed_split(
    run: LoadedRun, split: str, modality: str, *, progress: Progress = lambda done, total: None, cache: bool = True
) -> Embedded:
    """Every image, or every caption, of a split of the dataset that the run was trained on.

    A caption's id is that of its item; ``ID#2`` is the item's second. Items that lack the modality are left out, and so
    are those whose picture an earlier item has.

    Args:
        run: a loaded run.
        split: name of the split.
        modality: ``image`` or ``text``.
        progress: told how many of how many are done.
        cache: keep frozen features on disk, and use those that the sweep has kept.

    Raises: DataError for an unknown split or a changed dataset; ConfigError for a modality that the system does not
        read.
    """
    refuse_modality(run, modality)
    dataset = run.open_dataset()
    if split not in dataset.splits:
        raise DataError(
            f"dataset '{dataset.name}' has no split '{split}'."
            + did_you_mean(split, dataset.splits)
            + known_names(dataset.splits)
        )
    encoders = Encoders({modality: run.model.encoders[modality]})
    loader = Loader(dataset, split, run.system, encoders, cache=cache, plans=run.model.plans)
    rows, numbers = np.arange(len(loader)), np.zeros(len(loader), np.int64)
    if modality == "text":
        counts = loader.captions_per_item
        rows = np.repeat(rows, counts)
        numbers = np.arange(len(rows)) - np.repeat(loader.caption_offsets[:-1], counts)
    notes = list(loader.notes)
    if modality in loader.missing:
        present = ~loader.missing[modality][rows]
        rows, numbers = rows[present], numbers[present]
        notes.append(f"{(~present).sum()} items without {modality} were left out")
    if modality == "image" and modality not in loader.precomputed:
        first = _first_of_each_picture(dataset, loader.positions[rows])
        if len(first) < len(rows):
            notes.append(
                f"{len(rows) - len(first):,} items have the picture of an earlier item; each picture is there once"
            )
        rows, numbers = rows[first], numbers[first]
    texts = dataset.all_texts(split)
    items = [
        CollectionItem(
            dataset.ids[position] if number == 0 else f"{dataset.ids[position]}#{number + 1}",
            texts[row][number] if number < len(texts[row]) else "",
            int(position) if dataset.image_bytes(int(position)) is not None else None,
        )
        for row, number, position in zip(rows.tolist(), numbers.tolist(), loader.positions[rows].tolist(), strict=True)
    ]

    def batches() -> Iterator[Any]:
        for start in range(0, len(rows), BATCH):
            part = slice(start, start + BATCH)
            yield loader.batch(rows[part], numbers[part]).inputs[modality]

    source = {
        "type": "dataset",
        "spec": run.dataset_spec,
        "path": str(dataset.path.resolve()),
        "fingerprint": dataset.fingerprint,
        "split": split,
    }
    vectors, sides = _vectors(run, modality, batches(), len(items), progress)
    return Embedded(items, vectors, source, tuple(notes), sides)


def _first_of_each_picture(dataset: Dataset, positions: np.ndarray) -> np.ndarray:
    """Return the rows whose picture is in no earlier row; items without one count as different."""
    seen: dict[bytes, int] = {}
    for row, position in enumerate(positions.tolist()):
        data = dataset.image_bytes(position)
        seen.setdefault(b"%d" % row if data is None else blake2b(data).digest(), row)
    return np.array(list(seen.values()), np.int64)


def embed_folder(
    run: LoadedRun,
    folder: Path,
    modality: str,
    *,
    skip_bad: bool = False,
    progress: Progress = lambda done, total: None,
) -> Embedded:
    """Every image below a folder, or every line of its ``.txt`` files.

    An image's id is its path; its caption is the content of the ``.txt`` file of the same name, where there is one.
    A line's id is ``PATH:LINE``.

    Args:
        run: a loaded run.
        folder: with the images or the text files.
        modality: ``image`` or ``text``.
        skip_bad: leave images out that cannot be read, and say how many, instead of stopping.
        progress: called with how many of how many are done.

    Raises: DataError for a folder that is missing or has nothing, or naming every image that cannot be read;
        ConfigError for a modality that the system does not read.
    """
    refuse_modality(run, modality)
    if reads_features(run.system.encoder(modality), modality):
        raise ConfigError(f"this run reads precomputed {modality} features; a folder of files has none. Use --split.")
    if not folder.is_dir():
        raise DataError("no such folder.", place=Place(str(folder)))
    items = _images(folder) if modality == "image" else _lines(folder)
    if not items:
        what = "images" if modality == "image" else "lines of .txt files"
        raise DataError(f"no {what} below it.", place=Place(str(folder)))
    source = {"type": "folder", "path": str(folder.resolve())}
    selected: list[CollectionItem] = []
    bad: list[str] = []

    def batches() -> Iterator[Any]:
        encoder: Any = run.model.encoders[modality]
        with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
            for start in range(0, len(items), BATCH):
                part = items[start : start + BATCH]
                if modality == "text":
                    selected.extend(part)
                    yield encoder.tokenizer([item.caption for item in part])
                    continue
                read = list(pool.map(lambda item: _pixels(folder / str(item.at), encoder.preprocessing), part))
                selected.extend(item for item, pixels in zip(part, read, strict=True) if not isinstance(pixels, str))
                bad.extend(fault for fault in read if isinstance(fault, str))
                good = [pixels for pixels in read if not isinstance(pixels, str)]
                if good:
                    yield torch.from_numpy(np.stack(good))

    vectors, sides = _vectors(run, modality, batches(), len(items), progress)
    if bad and (not skip_bad or not selected):
        raise DataError(f"{len(bad)} images cannot be read; --skip-bad leaves them out.", problems=bad)
    notes = [f"{len(bad)} images could not be read and were left out"] if bad else []
    return Embedded(selected, vectors, source, notes, sides)


def refuse_modality(run: LoadedRun, modality: str) -> None:
    """Check that the modality can have a gallery and that the system reads it.

    Raises: ConfigError.
    """
    refuse_placebo(run)
    if run.system.similarity == "dot":
        raise ConfigError(
            f"run {run.run_id} ranks by {run.system.similarity}; indexes hold vectors of unit length, for the cosine."
        )
    read = [m for m in ("image", "text") if m in run.model.encoders]
    if modality not in read:
        raise ConfigError(
            f"run {run.run_id} has no {modality} encoder."
            + did_you_mean(modality, read)
            + known_names(read, "It reads")
        )


def _vectors(
    run: LoadedRun, modality: str, batches: Iterator[Any], count: int, progress: Progress
) -> tuple[np.ndarray, Sides | None]:
    parts: list[np.ndarray] = []
    selected: list[np.ndarray] = []
    lengths: list[np.ndarray] = []
    done = 0
    for raw in batches:
        parts.append(unit_rows(embed(run.model, modality, raw).cpu().numpy()))
        if run.model.scorer is not None:
            tokens = pair_inputs(run.model, modality, raw)
            selected.append(tokens.values[tokens.mask].cpu().numpy())
            lengths.append(tokens.mask.sum(1).cpu().numpy())
        done += len(parts[-1])
        progress(done, count)
    vectors = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
    if not selected:
        return vectors, None
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return vectors, Sides(np.concatenate(selected), offsets)


def _images(folder: Path) -> list[CollectionItem]:
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    paths = [file.relative_to(folder).as_posix() for file in files]
    return [
        CollectionItem(path, _caption(file.with_suffix(".txt")), path) for file, path in zip(files, paths, strict=True)
    ]


def _caption(file: Path) -> str:
    return " ".join(file.read_text(encoding="utf-8", errors="replace").split()) if file.is_file() else ""


def _lines(folder: Path) -> list[CollectionItem]:
    return [
        CollectionItem(f"{file.relative_to(folder).as_posix()}:{number}", line.strip(), None)
        for file in sorted(f for f in folder.rglob("*.txt") if f.is_file())
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if line.strip()
    ]


def _pixels(file: Path, preprocessing: Any) -> np.ndarray | str:
    """Pixels, or what is wrong with the file."""
    try:
        return decode(checked_image(file), preprocessing)
    except QueryError as error:
        return str(error)
    except OSError as error:
        return f"'{file}': {error}"
