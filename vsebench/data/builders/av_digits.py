"""Spoken and handwritten digits, paired by class."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from vsebench.data.builders._build import Build, Draft, find, source_folder
from vsebench.data.builders._columns import check_columns
from vsebench.data.builders.base import Progress
from vsebench.data.builders.spoken_digits import DIGITS, digit_split, split_rule
from vsebench.data.item import Item
from vsebench.data.sound import encode_wav
from vsebench.data.table import Row, read_table
from vsebench.data.writer import DatasetWriter
from vsebench.errors import DataError, Place
from vsebench.registry import DATASETS

ARRAYS = ("audio", "audio_offset", "audio_length", "image", "label")
COLUMNS = ("id", "label", "speaker", "take", "split", "sr")


@DATASETS.register(
    "av_digits",
    source="Vielzeuf et al. 2018, CentralNet, arXiv:1808.07275 (AV-MNIST); Jackson et al. 2018; LeCun et al. 1998",
    get="the free spoken digits and the MNIST test images, paired by class into one .npz file",
    licence="recordings CC BY-SA 4.0; images CC BY-SA 3.0",
    layout="av_digits.npz (audio int16, audio_offset, audio_length, image uint8 (N, 28, 28), label)\n"
    "metadata.csv (id, label, speaker, take, split, sr)",
    marker=("av_digits.npz",),
)
def av_digits(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "av_digits",
    title: str = "Spoken and handwritten digits",
    split: Literal["official", "speaker"] = "official",
    skip_bad: bool = False,
) -> None:
    """Build pairs of a spoken and a handwritten digit.

    Sound and image are paired by class only, so that retrieval is by label: a recording has no image of its own.

    Args:
        out: the dataset file (wired).
        progress: told of every pair (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        split: as in ``spoken_digits``: ``official`` (takes) or ``speaker`` (no speaker in two splits).
        skip_bad: leave bad pairs out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: a label that differs between the files, an offset outside of the
    audio, an empty recording, id twice; arrays or columns that are not there.

    Example:
        >>> av_digits(Path("out.h5"), lambda done, total: None, source="av_digits")  # doctest: +SKIP
    """
    root = source_folder(source)
    file = find(root, "av_digits.npz", what="the arrays")
    arrays = _arrays(file)
    table = read_table(find(root, "metadata.csv", what="the metadata"))
    check_columns(table, {c: c for c in COLUMNS})
    if len(table.rows) != len(arrays["label"]):
        raise DataError(
            f"{len(table.rows):,} rows, but the arrays have {len(arrays['label']):,}.", place=Place(str(table.file))
        )
    speakers = sorted({row.cells["speaker"] for row in table.rows})

    def drafts() -> Iterator[Draft]:
        seen: dict[str, int] = {}
        for i, row in enumerate(table.rows):
            one = row.cells["id"]
            problems = [f"the id stands in row {seen[one]} already"] if one in seen else []
            seen.setdefault(one, row.number)
            yield _draft(row, i, arrays, split, speakers, problems)

    provenance: dict[str, Any] = {
        "builder": "av_digits",
        "pairing": "by class, made by the source",
        "split_rule": split_rule(split, speakers),
        "notes": ["sound and image are paired by class: retrieval counts any item of the class"],
    }
    writer = DatasetWriter(out, name=name, title=title, label_names=DIGITS, relevance="label", provenance=provenance)
    with Build(root, writer, progress, str(table.file), skip_bad=skip_bad) as build:
        build.faults += table.problems
        build.bad_items += len(table.problems)
        build.add(drafts(), len(table.rows))


def _draft(
    row: Row, i: int, arrays: dict[str, np.ndarray], rule: str, speakers: list[str], problems: list[str]
) -> Draft:
    where = f"row {row.number} (id '{row.cells['id']}')"
    start, length = int(arrays["audio_offset"][i]), int(arrays["audio_length"][i])
    samples = arrays["audio"][max(0, start) : max(0, start) + max(0, length)]
    if start < 0 or length < 1 or len(samples) != length:
        problems.append(f"samples {start} to {start + length} of {len(arrays['audio'])}")
    label = str(int(arrays["label"][i]))
    if label != row.cells["label"].strip() or label not in DIGITS:
        problems.append(f"label '{row.cells['label']}', but {label} in the arrays")
    if not row.cells["take"].isdigit() or not row.cells["sr"].isdigit() or int(row.cells["sr"]) < 1:
        problems.append("take and sr must be numbers")
    if problems:
        return Draft(where, None, problems=tuple(problems))
    item = Item(
        row.cells["id"],
        _png(arrays["image"][i]),
        (),
        label,
        split=digit_split(row.cells["speaker"], int(row.cells["take"]), rule, speakers),
        attributes={"speaker": row.cells["speaker"], "take": row.cells["take"]},
        audio=encode_wav(samples, int(row.cells["sr"])),
    )
    return Draft(where, item)


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as found:
            missing = [a for a in ARRAYS if a not in found]
            if missing:
                raise DataError(f"no array '{missing[0]}'.", place=Place(str(file)))
            arrays = {a: found[a] for a in ARRAYS}
    except DataError:
        raise
    except Exception as error:  # a damaged archive raises BadZipFile, ValueError, OSError, zlib.error, …
        raise DataError(f"not a whole .npz file ({error}).", place=Place(str(file))) from None
    count = len(arrays["label"])
    if any(len(arrays[a]) != count for a in ARRAYS[1:]) or arrays["audio"].ndim != 1 or arrays["image"].ndim != 3:
        raise DataError("arrays of lengths that do not belong together.", place=Place(str(file)))
    kinds = {"audio": np.int16, "image": np.uint8}
    wrong = [a for a, kind in kinds.items() if arrays[a].dtype != kind]
    wrong += [a for a in ("audio_offset", "audio_length", "label") if arrays[a].dtype.kind not in "iu"]
    if wrong:
        raise DataError(f"array '{wrong[0]}' is of type {arrays[wrong[0]].dtype}.", place=Place(str(file)))
    return arrays


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
