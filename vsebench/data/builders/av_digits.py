"""Spoken and handwritten digits, paired by class."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le, Lt
from PIL import Image

from vsebench.components.corruption.base import generator_of
from vsebench.components.corruption.noise import Noise
from vsebench.components.corruption.occlusion import Occlusion
from vsebench.components.corruption.snr import Snr
from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, find, source_folder
from vsebench.data.builders._columns import check_columns
from vsebench.data.builders.base import Progress
from vsebench.data.builders.spoken_digits import DIGITS, digit_split, split_rule
from vsebench.data.item import Item
from vsebench.data.sound import encode_wav
from vsebench.data.table import Row, read_table
from vsebench.data.writer import DatasetWriter

ARRAYS = ("audio", "audio_offset", "audio_length", "image", "label")
COLUMNS = ("id", "label", "speaker", "take", "split", "sr")
TITLE = "Spoken and handwritten digits"


@dataclass(frozen=True)
class Degraded:
    """How the data are made harder: strengths as of the corruptions of these names, of every item of every split."""

    image_noise: float = 0.0
    image_occlusion: float = 0.0
    audio_snr: float = math.inf
    seed: int = 0

    @property
    def words(self) -> str:
        """What was done; empty for the data as they are."""
        lines = [f"image noise {self.image_noise:g}"] if self.image_noise else []
        lines += [f"image occlusion {self.image_occlusion:g}"] if self.image_occlusion else []
        lines += [f"audio at {self.audio_snr:g} dB"] if math.isfinite(self.audio_snr) else []
        return ", ".join(lines)

    def image(self, pixels: np.ndarray, item: int) -> np.ndarray:
        """First covered, then noisy. Shape: uint8 (H, W) -> the same."""
        share, std = self.image_occlusion, self.image_noise
        covered = Occlusion().image(pixels, share, generator_of(self.seed, item, "occlusion", share))
        return Noise().image(covered, std, generator_of(self.seed, item, "noise", std))

    def sound(self, samples: np.ndarray, item: int) -> np.ndarray:
        """With white noise, and softer as a whole where a sample would be clipped. Shape: int16 (T,) -> the same, or
        float32 in [-1, 1]."""
        if not math.isfinite(self.audio_snr):
            return samples
        generator = generator_of(self.seed, item, "snr", self.audio_snr)
        noisy = Snr().audio(samples.astype(np.float32) / 32_768, self.audio_snr, generator)
        return noisy / max(1.0, float(np.abs(noisy).max(initial=0.0)))


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
    title: str = TITLE,
    split: Literal["official", "speaker"] = "official",
    image_noise: Annotated[float, Ge(0), Le(1)] = 0.0,
    image_occlusion: Annotated[float, Ge(0), Lt(1)] = 0.0,
    audio_snr: Annotated[float, Ge(-60), Le(100)] | None = None,
    seed: Annotated[int, Ge(0)] = 0,
    skip_bad: bool = False,
) -> None:
    """Build pairs of a spoken and a handwritten digit.

    Sound and image are paired by class only, so that retrieval is by label: a recording has no image of its own.

    Args:
        out: the dataset file (wired).
        progress: told of every pair (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it; unless it is given, with what was degraded.
        split: as in ``spoken_digits``: ``official`` (takes) or ``speaker`` (no speaker in two splits).
        image_noise: std of Gaussian noise on every image of every split, for pixels in [0, 1]; 0 is none.
        image_occlusion: share of the area that a grey square covers at a random place, in [0, 1); 0 is none.
        audio_snr: signal-to-noise ratio, in dB, of white noise over every recording; None is no noise.
        seed: of what is drawn to degrade; each item has numbers of its own.
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

    degraded = Degraded(image_noise, image_occlusion, math.inf if audio_snr is None else audio_snr, seed)

    def drafts() -> Iterator[Draft]:
        seen: dict[str, int] = {}
        for i, row in enumerate(table.rows):
            one = row.cells["id"]
            problems = [f"the id stands in row {seen[one]} already"] if one in seen else []
            seen.setdefault(one, row.number)
            yield _draft(row, i, arrays, split, speakers, problems, degraded)

    provenance: dict[str, Any] = {
        "builder": "av_digits",
        "pairing": "by class, made by the source",
        "split_rule": split_rule(split, speakers),
        "notes": ["sound and image are paired by class: retrieval counts any item of the class"],
    }
    if degraded.words:
        provenance["degraded"] = {**asdict(degraded), "audio_snr": audio_snr}
        provenance["notes"].append(f"every item of every split is degraded: {degraded.words} (seed {seed})")
        title = f"{title}, degraded: {degraded.words}" if title == TITLE else title
    writer = DatasetWriter(out, name=name, title=title, label_names=DIGITS, relevance="label", provenance=provenance)
    with Build(root, writer, progress, str(table.file), skip_bad=skip_bad) as build:
        build.read(table)
        build.add(drafts(), len(table.rows))


def _draft(
    row: Row,
    i: int,
    arrays: dict[str, np.ndarray],
    rule: str,
    speakers: list[str],
    problems: list[str],
    degraded: Degraded,
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
        _png(degraded.image(arrays["image"][i], i)),
        (),
        label,
        split=digit_split(row.cells["speaker"], int(row.cells["take"]), rule, speakers),
        attributes={"speaker": row.cells["speaker"], "take": row.cells["take"]},
    )
    return Draft(where, item, audio=encode_wav(degraded.sound(samples, i), int(row.cells["sr"])))


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as array:
            missing = [a for a in ARRAYS if a not in array]
            if missing:
                raise DataError(f"no array '{missing[0]}'.", place=Place(str(file)))
            arrays = {a: array[a] for a in ARRAYS}
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
