"""Datasets of the Hugging Face hub, and local tables in its formats."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt

from vsebench.data.builders._build import Build
from vsebench.data.builders._hub import drafts, find_columns, load, split_map, undecoded
from vsebench.data.builders.base import Progress
from vsebench.data.writer import DatasetWriter
from vsebench.errors import DataError
from vsebench.registry import DATASETS

FORMATS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}
VAL_SHARE = 0.1


@DATASETS.register(
    "hub",
    source="Lhoest et al. 2021, Datasets: a community library, arXiv:2109.02846",
    get="https://huggingface.co/datasets: 'vsebench data build hub:ORG/NAME'",
    licence="each dataset's own",
    layout="hub:ORG/NAME, or a local folder: one of save_to_disk, of Parquet or Arrow files,\n"
    "of WebDataset shards (.tar), or any that datasets.load_dataset reads",
)
def hub(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str | None = None,
    title: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    splits: str | None = None,
    image_column: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    audio_column: str | None = None,
    id_column: str | None = None,
    group_column: str | None = None,
    streaming: bool = False,
    limit: Annotated[int, Gt(0)] | None = None,
    resize: Annotated[int, Gt(0)] | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Build a dataset from the Hugging Face hub, its cache, or local files in its formats.

    ``datasets`` does the loading: offline (HF_HUB_OFFLINE=1) from its cache, or from a local folder. Images and sounds
    are stored as the encoded bytes that the table holds. Columns are found by type (Image, Audio, ClassLabel) and
    usual name where no option names them. Without any validation split a tenth of train becomes it; a single split is
    divided 80/10/10; both stratified, seeded, images with identical pixels together.

    Args:
        out: the dataset file (wired).
        progress: told of every row (wired).
        source: repository name, or a local file or folder.
        name: of the dataset; the name of ``out`` by default.
        title: how boards call it; the name by default.
        config: of the repository ("subset").
        revision: of the repository: a branch, tag or commit.
        splits: which of its splits are what: ``train=train,validation=val,unlabeled=rest``; others are left out. By
            default their names say it.
        image_column: a column of images.
        text_column: captions; a cell may hold a list of them.
        label_column: a ClassLabel, text or number; lists are multi-label. Without such a column the data is unlabelled.
        audio_column: a column of sounds.
        id_column: unique names; split and row number by default.
        group_column: items that belong together.
        streaming: read rows as they come instead of keeping a copy in the library's cache.
        limit: the first so many rows of each split.
        resize: longest side of stored images in pixels; larger ones are scaled down.
        seed: of the splits made by rule.
        skip_bad: leave bad rows out, and count them, instead of stopping.

    Raises: ConfigError for a column or split that does not exist; DataError when the source cannot be loaded, or lists
    every bad row: missing or corrupt image or sound, empty text, no label, id twice.

    Example:
        >>> hub(Path("out.h5"), lambda done, total: None, source="nlphuji/flickr30k")  # doctest: +SKIP
    """
    from datasets import disable_progress_bars

    disable_progress_bars()
    tables = _tables(source, config, revision, streaming)
    chosen = split_map(list(tables), splits, source)
    first = tables[next(iter(chosen))]
    features = first.features or load(lambda: first._resolve_features().features, source)
    if not features:
        raise DataError(f"'{source}' does not say what columns it has.")
    asked = {"image": image_column, "text": text_column, "label": label_column}
    columns = find_columns(features, {**asked, "audio": audio_column, "id": id_column, "group": group_column}, source)
    provenance: dict[str, Any] = {
        "builder": "hub",
        "source": Path(source).name if Path(source).exists() else source,
        "config": config,
        "revision": revision,
        "columns": dict(columns.names),
        "splits": dict(chosen),
        "limit": limit,
        "table_fingerprint": {k: getattr(t, "_fingerprint", None) for k, t in tables.items() if k in chosen},
        "resize": resize,
        "notes": [],
    }
    writer = DatasetWriter(
        out,
        name=name or out.stem,
        title=title or name or out.stem,
        label_names=columns.label_names,
        multi_label=columns.multi_label,
        provenance=provenance,
        seed=seed,
        val_share=VAL_SHARE,
    )
    seen: dict[str, str] = {}
    build = Build(Path(), writer, progress, source, skip_bad=skip_bad, resize=resize, group_pixels=True)
    with build:
        for theirs, ours in chosen.items():
            table = undecoded(tables[theirs], columns)
            if limit is not None:
                table = table.take(limit)
            total = getattr(table, "num_rows", None)
            rows = drafts(table, columns, theirs, ours, seen)
            load(partial(build.add, rows, total), source)


def _tables(source: str, config: str | None, revision: str | None, streaming: bool) -> dict[str, Any]:
    """Split -> table.

    Raises: DataError when it cannot be loaded.
    """
    import datasets

    path = Path(source).expanduser()
    if path.is_dir() and ((path / "dataset_dict.json").is_file() or (path / "state.json").is_file()):
        found = load(lambda: datasets.load_from_disk(str(path)), source)
    elif path.is_file():
        kind = FORMATS.get(path.suffix)
        if kind is None:
            raise DataError(f"'{source}' is none of {', '.join(FORMATS)}.")
        found = load(lambda: datasets.load_dataset(kind, data_files=str(path), streaming=streaming), source)
    else:
        where = str(path) if path.is_dir() else source
        options = {"name": config, "revision": revision, "streaming": streaming}
        found = load(lambda: datasets.load_dataset(where, **options), source)
    return dict(found) if isinstance(found, dict) else {"train": found}
