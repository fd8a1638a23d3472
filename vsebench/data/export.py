"""A dataset file as Parquet or Arrow, as Hugging Face ``datasets`` reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.files import replacing_folder
from vsebench.data.dataset import Dataset

SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test", "rest": "rest"}
GROUP_BYTES = 32 << 20  # of a row group: what is held in memory
Progress = Callable[[int, int | None], None]


def export(
    dataset: Dataset,
    out: Path,
    *,
    form: Literal["parquet", "arrow"] = "parquet",
    shard_bytes: int = 500 << 20,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Write a folder that ``datasets.load_dataset(folder)`` (Parquet) or ``load_from_disk`` (Arrow) reads.

    Columns, those that the dataset has: ``id``, ``image`` (Image), ``audio`` (Audio), ``texts`` (a list), ``label``
    (ClassLabel, or a list of them), ``group``, ``sets``, ``attributes`` and ``answers`` (JSON), ``boxes``,
    ``landmarks``, ``slice_<field>``, ``features_<modality>``. The split ``val`` is called ``validation``. A row group
    is in memory at a time; the folder appears when it is whole.

    Args:
        dataset: what to write.
        out: the folder; it must not exist.
        form: ``parquet`` or ``arrow``.
        shard_bytes: a Parquet file is closed when it is larger, > 0.
        force: replace the folder.
        progress: told of every item.

    Raises: DataError when the folder exists; ConfigError for a shard size that is not > 0; DiskError where it cannot be
    written, and nothing of it is left then.
    """
    if shard_bytes <= 0:
        raise ConfigError(f"the shard size must be > 0 bytes. Got {shard_bytes}.")
    if out.exists() and not force:
        raise DataError("exists already; give --force to replace it, or another folder.", place=Place(str(out)))
    with replacing_folder(out) as partial:
        if form == "parquet":
            _parquet(dataset, partial, shard_bytes, progress)
        else:
            _arrow(dataset, partial, progress)
        (partial / "README.md").write_text(_card(dataset, partial, form), encoding="utf-8")
    return out


def features_of(dataset: Dataset) -> Any:
    """Return the columns as ``datasets.Features``."""
    from datasets import Audio, ClassLabel, Features, Image, Sequence, Value

    columns: dict[str, Any] = {"id": Value("string")}
    if dataset.has_raw("image"):
        columns["image"] = Image()
    if dataset.has_raw("audio"):
        columns["audio"] = Audio()
    if dataset.has_raw("text"):
        columns["texts"] = Sequence(Value("string"))
    if dataset.num_classes:
        label = ClassLabel(names=list(dataset.label_names))
        columns["label"] = Sequence(label) if dataset.multi_label else label
    columns |= {"group": Value("int64"), "sets": Sequence(Value("string")), "attributes": Value("string")}
    if dataset.has_answers:
        columns["answers"] = Value("string")
    columns |= {f"slice_{name}": Value("string") for name in dataset.slices.values}
    rows = Sequence(Sequence(Value("float32")))
    columns |= {"boxes": rows, "landmarks": rows}
    columns |= {f"features_{modality}": rows for modality in dataset.feature_dims}
    return Features(columns)


def rows_of(dataset: Dataset, split: str, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the items of a split as plain rows, images and sounds as ``{bytes, path}``."""
    members = {name: set(positions.tolist()) for name, positions in dataset.sets.items()}
    for i in dataset.splits[split].tolist():
        image, sound = dataset.image_bytes(i), dataset.audio_bytes(i)
        labels = dataset.labels[i]
        row: dict[str, Any] = {
            "id": dataset.ids[i],
            "image": None if image is None else {"bytes": image, "path": None},
            "audio": None if sound is None else {"bytes": sound, "path": None},
            "texts": dataset.texts(i),
            "label": np.flatnonzero(labels).tolist() if dataset.multi_label else int(labels),
            "group": int(dataset.groups[i]),
            "sets": [name for name, positions in members.items() if i in positions],
            "attributes": json.dumps(dataset.attributes(i), ensure_ascii=False, sort_keys=True),
            "answers": json.dumps(dataset.answers(np.array([i]))[0], ensure_ascii=False, sort_keys=True),
            "boxes": _lists(dataset.boxes(i)),
            "landmarks": _lists(dataset.landmarks(i)),
        }
        for at, (name, values) in enumerate(dataset.slices.values.items()):
            row[f"slice_{name}"] = [*values, ""][dataset.slices.codes[i, at]]
        for modality in dataset.feature_dims:
            row[f"features_{modality}"] = _lists(dataset.item_features(modality, i))
        yield {name: row[name] for name in names}


def _lists(values: np.ndarray | None) -> list[list[float]]:
    return [] if values is None else values.astype(np.float32).tolist()


def _size(row: dict[str, Any]) -> int:
    encoded = sum(len(row[k]["bytes"]) for k in ("image", "audio") if row.get(k) is not None)
    numbers = sum(len(v) * len(v[0]) for k, v in row.items() if k.startswith("features_") and v)
    return int(encoded + sum(len(t) for t in row.get("texts", ())) + 4 * numbers + 200)


def _parquet(dataset: Dataset, folder: Path, shard_bytes: int, progress: Progress) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = features_of(dataset).arrow_schema
    (folder / "data").mkdir()
    done = 0
    for split in dataset.splits:
        files: list[Path] = []
        writer: Any = None
        for group in _row_groups(rows_of(dataset, split, schema.names), min(GROUP_BYTES, shard_bytes)):
            if writer is None:
                files.append(folder / "data" / f"{SPLIT_NAMES[split]}-{len(files):05d}.parquet")
                writer = pq.ParquetWriter(files[-1], schema)
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            done += len(group)
            progress(done, len(dataset))
            if files[-1].stat().st_size >= shard_bytes:
                writer.close()
                writer = None
        if writer is not None:
            writer.close()
        for number, file in enumerate(files):  # the number of shards is known only now
            file.rename(file.with_name(f"{SPLIT_NAMES[split]}-{number:05d}-of-{len(files):05d}.parquet"))


def _row_groups(rows: Iterator[dict[str, Any]], most_bytes: int) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    held = 0
    for row in rows:
        group.append(row)
        held += _size(row)
        if held >= most_bytes:
            yield group
            group, held = [], 0
    if group:
        yield group


def _arrow(dataset: Dataset, folder: Path, progress: Progress) -> None:
    import datasets

    datasets.disable_progress_bars()
    features = features_of(dataset)
    done = 0
    for split in dataset.splits:
        target = folder / SPLIT_NAMES[split]
        target.mkdir()
        with datasets.arrow_writer.ArrowWriter(
            path=str(target / "data-00000-of-00001.arrow"), features=features, writer_batch_size=64
        ) as writer:
            for row in rows_of(dataset, split, list(features)):
                writer.write(row)
                done += 1
                progress(done, len(dataset))
            writer.finalize()
        info = datasets.DatasetInfo(features=features, description=dataset.title)
        info.write_to_directory(str(target))
        state: dict[str, Any] = {
            "_data_files": [{"filename": "data-00000-of-00001.arrow"}],
            "_fingerprint": f"{dataset.fingerprint}-{split}",
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": SPLIT_NAMES[split],
        }
        (target / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    names = [SPLIT_NAMES[s] for s in dataset.splits]
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": names}), encoding="utf-8")


def _card(dataset: Dataset, folder: Path, form: str) -> str:
    """Return the folder's README: which files are which split, and where it all comes from."""
    names = [SPLIT_NAMES[s] for s in dataset.splits]
    head: dict[str, Any] = {"pretty_name": dataset.title}
    if form == "parquet":
        files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in names]
        head["configs"] = [{"config_name": "default", "data_files": files}]
    sizes = ", ".join(f"{SPLIT_NAMES[s]} {len(rows):,}" for s, rows in dataset.splits.items())
    call = "load_dataset" if form == "parquet" else "load_from_disk"
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n"
        f"Exported by vsebench; fingerprint of the source `{dataset.fingerprint}`. Items: {sizes}.\n\n"
        f'```python\nimport datasets\n\ndatasets.{call}(".")\n```\n'
    )
