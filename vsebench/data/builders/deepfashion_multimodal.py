"""DeepFashion-MultiModal: full-body photos with captions, shape, fabric and colour labels, and keypoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from vsebench.core.errors import ConfigError, DataError, Place, did_you_mean, known_names
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, find, source_folder
from vsebench.data.builders._json import read_json
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

CAPTIONED = 42_544
NOT_APPLICABLE = "NA"
YES_NO = ("no", "yes", NOT_APPLICABLE)
#: The twelve numbers of a line of shape_anno_all.txt, in order, and what each value means.
SHAPES: dict[str, tuple[str, ...]] = {
    "sleeve_length": ("sleeveless", "short", "medium", "long", "not long", NOT_APPLICABLE),
    "lower_length": ("three-point", "medium short", "three-quarter", "long", NOT_APPLICABLE),
    "socks": ("no", "socks", "leggings", NOT_APPLICABLE),
    "hat": YES_NO,
    "glasses": ("no", "eyeglasses", "sunglasses", "glasses in hand or clothes", NOT_APPLICABLE),
    "neckwear": YES_NO,
    "wrist_wearing": YES_NO,
    "ring": YES_NO,
    "waist_accessories": ("no", "belt", "clothing", "hidden", NOT_APPLICABLE),
    "neckline": ("V-shape", "square", "round", "standing", "lapel", "suspenders", NOT_APPLICABLE),
    "cardigan": ("yes", "no", NOT_APPLICABLE),
    "navel_covered": YES_NO,
}
PARTS = ("upper", "lower", "outer")
FABRICS = ("denim", "cotton", "leather", "furry", "knitted", "chiffon", "other", NOT_APPLICABLE)
COLOURS = ("floral", "graphic", "striped", "pure color", "lattice", "other", "color block", NOT_APPLICABLE)
LABELS = ("category", *SHAPES, *(f"fabric_{p}" for p in PARTS), *(f"colour_{p}" for p in PARTS))
KEYPOINTS = 21
FILE_NAME = re.compile(r"(?P<category>[A-Z]+-[^-].*?)-(?P<item>id_\d+)-.+")


@DATASETS.register(
    "deepfashion_multimodal",
    source="Jiang et al. 2022, Text2Human, arXiv:2205.15996",
    get="https://github.com/yumingj/DeepFashion-MultiModal",
    licence="non-commercial research (DeepFashion)",
    layout="images/<GENDER>-<Category>-id_<n>-<view>.jpg\ncaptions.json\nlabels/shape/shape_anno_all.txt\n"
    "labels/texture/fabric_ann.txt\nlabels/texture/pattern_ann.txt\nkeypoints/keypoints_loc.txt\n"
    "keypoints/keypoints_vis.txt",
    marker=("captions.json",),
)
def deepfashion_multimodal(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "deepfashion_multimodal",
    title: str = "DeepFashion-MultiModal",
    label: str = "category",
    seed: int = 0,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build DeepFashion-MultiModal: one item for each captioned photo.

    There is no official split: 80/10/10 by rule, stratified, photos of one garment together. All labels are stored as
    attributes; one of them is the class. Photos whose class is "NA" are left out, and counted in a note.

    Args:
        out: the dataset file (wired).
        progress: told of every photo (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        label: what is the class: ``category`` (from the file's name), a shape (``sleeve_length``, ``neckline``, …), or
            fabric or colour of a part (``fabric_upper``, ``colour_lower``, …).
        seed: of the splits.
        resize: longest side of stored photos in pixels; larger ones are scaled down, keypoints with them.
        skip_bad: leave bad photos out, and count them, instead of stopping.

    Raises: ConfigError for an unknown label; DataError that lists every fault: missing or corrupt photo, photo without
    labels or keypoints, empty caption, values out of range.

    Example:
        >>> deepfashion_multimodal(Path("out.h5"), lambda done, total: None, source="dfmm")  # doctest: +SKIP
    """
    if label not in LABELS:
        raise ConfigError(
            f"unknown label '{label}'." + did_you_mean(label, LABELS) + known_names(LABELS), path=("label",)
        )
    root = source_folder(source)
    captions = read_json(find(root, "captions.json", what="the captions"), dict)
    shapes = _numbers(find(root, "labels/shape/shape_anno_all.txt", what="the shape labels"), len(SHAPES))
    fabrics = _numbers(find(root, "labels/texture/fabric_ann.txt", what="the fabric labels"), len(PARTS))
    colours = _numbers(find(root, "labels/texture/pattern_ann.txt", what="the colour labels"), len(PARTS))
    points = _numbers(find(root, "keypoints/keypoints_loc.txt", what="the keypoints"), 2 * KEYPOINTS)
    visible = _numbers(find(root, "keypoints/keypoints_vis.txt", what="the keypoints' visibility"), KEYPOINTS)
    left_out = 0

    def drafts() -> Iterator[Draft]:
        nonlocal left_out
        for file, caption in captions.items():
            problems: list[str] = []
            parsed = FILE_NAME.fullmatch(Path(file).stem)
            if parsed is None:
                problems.append("the name is not GENDER-Category-id_NUMBER-VIEW")
            if not isinstance(caption, str):
                problems.append(f"caption {caption!r} is not text")
            facts = {"category": parsed["category"] if parsed else ""}
            facts |= _named(shapes.get(file), "shape labels", list(SHAPES), list(SHAPES.values()), problems)
            for what, table, values in (("fabric", fabrics, FABRICS), ("colour", colours, COLOURS)):
                names = [f"{what}_{part}" for part in PARTS]
                facts |= _named(table.get(file), f"{what} labels", names, [values] * len(PARTS), problems)
            marks = _keypoints(points.get(file), visible.get(file), problems)
            if not problems and facts[label] == NOT_APPLICABLE:
                left_out += 1
                continue
            item = Item(
                Path(file).stem,
                None,
                (str(caption).strip(),),
                facts.get(label, ""),
                group=parsed["item"] if parsed else None,
                landmarks=marks,
                attributes=facts,
            )
            yield Draft(f"photo '{file}'", item, image=f"images/{file}", problems=tuple(problems))

    provenance: dict[str, Any] = {"builder": "deepfashion_multimodal", "label": label, "resize": resize, "notes": []}
    writer = DatasetWriter(out, name=name, title=title, provenance=provenance, seed=seed)
    with Build(root, writer, progress, str(root / "captions.json"), skip_bad=skip_bad, resize=resize) as build:
        build.notes += counted("captioned photos", CAPTIONED, len(captions))
        build.add(drafts(), len(captions))
        if left_out:
            build.notes.append(f"{left_out:,} photos whose {label} is not applicable are left out")


def _numbers(file: Path, width: int) -> dict[str, np.ndarray]:
    """Photo -> so many integers. Raises: DataError with the line."""
    results: dict[str, np.ndarray] = {}
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                name, *cells = line.split() or [""]
                if not name:
                    continue
                if len(cells) != width:
                    raise DataError(f"a photo and {width} numbers are needed.", place=Place(str(file), number))
                if name in results:
                    raise DataError(f"photo '{name}' stands twice.", place=Place(str(file), number))
                try:
                    results[name] = np.array([round(float(c)) for c in cells], np.int32)
                except (ValueError, OverflowError):
                    raise DataError(
                        f"a photo and {width} numbers are needed.", place=Place(str(file), number)
                    ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error}).", place=Place(str(file))) from None
    return results


def _named(
    values: np.ndarray | None, what: str, names: list[str], meanings: list[tuple[str, ...]], problems: list[str]
) -> dict[str, str]:
    if values is None:
        problems.append(f"no {what}")
        return {}
    wrong = [n for n, v, m in zip(names, values, meanings, strict=True) if not 0 <= v < len(m)]
    if wrong:
        problems.append(f"{what} out of range: {', '.join(wrong)}")
        return {}
    return {n: m[v] for n, v, m in zip(names, values, meanings, strict=True)}


def _keypoints(points: np.ndarray | None, visible: np.ndarray | None, problems: list[str]) -> np.ndarray | None:
    """Float (21, 3): x, y, visible (0 in the visibility file)."""
    if points is None or visible is None:
        problems.append("no keypoints")
        return None
    return np.concatenate([points.reshape(-1, 2), (visible == 0)[:, None]], 1).astype(np.float32)
