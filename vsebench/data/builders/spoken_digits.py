"""Free Spoken Digit Dataset: English digits, spoken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from vsebench.core.errors import DataError, Place
from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, find, source_folder
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

RECORDINGS = 3_000
FILE_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)")
DIGITS = [str(d) for d in range(10)]
TEST_TAKES, VAL_TAKES = range(5), range(5, 10)


@DATASETS.register(
    "spoken_digits",
    source="Jackson et al. 2018, Free Spoken Digit Dataset",
    get="https://github.com/Jakobovski/free-spoken-digit-dataset",
    licence="CC BY-SA 4.0",
    layout="recordings/DIGIT_SPEAKER_TAKE.wav",
    marker=("recordings",),
)
def spoken_digits(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "spoken_digits",
    title: str = "Free Spoken Digit Dataset",
    split: Literal["official", "speaker"] = "official",
    skip_bad: bool = False,
) -> None:
    """Build spoken digits: 3,000 recordings at 8 kHz, six speakers, ten classes.

    Args:
        out: the dataset file (wired).
        progress: told of every recording (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it.
        split: ``official``: takes 0-4 of each speaker and digit are test (300), takes 5-9 val (300), the others train;
            all speakers are in all splits. ``speaker``: no speaker is in two: the first by name is test, the second
            val.
        skip_bad: leave bad recordings out, and count them, instead of stopping.

    Raises: DataError that lists every fault: a name of another form, a corrupt or empty recording.

    Example:
        >>> spoken_digits(Path("out.h5"), lambda done, total: None, source="fsdd")  # doctest: +SKIP
    """
    root = source_folder(source)
    folder = find(root, "recordings", what="the recordings")
    files = sorted(folder.glob("*.wav"))
    if not files:
        raise DataError("no .wav files.", place=Place(str(folder)))
    speakers = sorted({result["speaker"] for f in files if (result := FILE_NAME.fullmatch(f.stem))})

    def drafts() -> Iterator[Draft]:
        for file in files:
            match = FILE_NAME.fullmatch(file.stem)
            if match is None:
                yield Draft(f"file '{file.name}'", None, problems=("the name is not DIGIT_SPEAKER_TAKE.wav",))
                continue
            chosen = digit_split(match["speaker"], int(match["take"]), split, speakers)
            item = Item(
                file.stem,
                None,
                (),
                match["digit"],
                split=chosen,
                attributes={"speaker": match["speaker"], "take": match["take"]},
            )
            yield Draft(f"file '{file.name}'", item, audio=f"recordings/{file.name}")

    provenance: dict[str, Any] = {"builder": "spoken_digits", "split_rule": split_rule(split, speakers), "notes": []}
    writer = DatasetWriter(out, name=name, title=title, label_names=DIGITS, relevance="label", provenance=provenance)
    with Build(root, writer, progress, str(folder), skip_bad=skip_bad) as build:
        build.notes += counted("recordings", RECORDINGS, len(files))
        build.add(drafts(), len(files))


def digit_split(speaker: str, take: int, rule: str, speakers: list[str]) -> str:
    """Split of a recording.

    Example:
        >>> digit_split("theo", 3, "official", ["lucas", "theo"]), digit_split("theo", 3, "speaker", ["lucas", "theo"])
        ('test', 'val')
    """
    if rule == "speaker":
        return {0: "test", 1: "val"}.get(speakers.index(speaker), "train")
    return "test" if take in TEST_TAKES else "val" if take in VAL_TAKES else "train"


def split_rule(rule: str, speakers: list[str]) -> str:
    """Describe the rule in words."""
    if rule == "official":
        return "takes 0-4 of every speaker and digit for test (official), 5-9 for val, the others for train"
    return f"by speaker: {speakers[0]} for test, {', '.join(speakers[1:2])} for val, the others for train"
