"""VQA v1 and v2: questions about COCO's images, each answered by ten people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Lt

from vsebench.core.registry import DATASETS
from vsebench.data.builders._build import Build, Draft, counted, find, source_folder
from vsebench.data.builders._json import RowModel, stream
from vsebench.data.builders._spill import Spill
from vsebench.data.builders._vqa_answers import normalised
from vsebench.data.builders.base import Progress
from vsebench.data.item import Item
from vsebench.data.writer import DatasetWriter

Version = Literal["v1", "v2"]
PREFIX = {"v1": "", "v2": "v2_"}
#: Published numbers of questions.
QUESTIONS = {
    "v1": {"train2014": 248_349, "val2014": 121_512, "test2015": 244_302},
    "v2": {"train2014": 443_757, "val2014": 214_354, "test2015": 447_793},
}
#: The class of an evaluation question whose answer is none of the classes; no training question has it.
OTHER = "<other>"


class _Question(RowModel):
    question_id: int
    image_id: int
    question: str


class _Answer(RowModel):
    answer: str


class _Annotation(RowModel):
    question_id: int
    image_id: int
    multiple_choice_answer: str
    answers: list[_Answer]
    question_type: str = ""
    answer_type: str = ""


@DATASETS.register(
    "vqa",
    source="Antol et al. 2015, arXiv:1505.00468 (v1); Goyal et al. 2017, arXiv:1612.00837 (v2)",
    get="https://visualqa.org/download.html (questions, annotations), https://cocodataset.org/#download (images)",
    licence="questions and answers CC BY 4.0; images: Flickr terms of use",
    layout="v2_OpenEnded_mscoco_train2014_questions.json (v1: without v2_)\n"
    "v2_OpenEnded_mscoco_val2014_questions.json\nv2_OpenEnded_mscoco_test2015_questions.json (with --unanswered)\n"
    "v2_mscoco_train2014_annotations.json\nv2_mscoco_val2014_annotations.json\n"
    "train2014/COCO_train2014_<image, 12 digits>.jpg\nval2014/COCO_val2014_<image>.jpg",
    marker=("v2_OpenEnded_mscoco_train2014_questions.json", "OpenEnded_mscoco_train2014_questions.json"),
)
def vqa(
    out: Path,
    progress: Progress,
    *,
    source: str,
    name: str = "vqa",
    title: str | None = None,
    version: Version = "v2",
    num_answers: Annotated[int, Gt(1)] = 2048,
    val_share: Annotated[float, Gt(0), Lt(1)] = 0.1,
    unanswered: bool = False,
    seed: int = 0,
    resize: Annotated[int, Gt(0)] | None = None,
    skip_bad: bool = False,
) -> None:
    """Build VQA: an image with a question is an item, its most frequent answer the class.

    Classes are the ``num_answers`` most frequent answers of training, normalised by the rules of the official
    evaluation (docs/vqa.md). Training questions with another answer are left out; evaluation keeps them, as class
    ``<other>``. The answers of all annotators are kept for ``vqa_accuracy``.

    ``train2014`` is ``train``, less a share of its images that becomes ``val``; ``val2014`` is ``test``. Annotations
    are read a row at a time and joined by question id on disk.

    Args:
        out: the dataset file (wired).
        progress: told of every question (wired).
        source: the folder.
        name: of the dataset.
        title: how boards call it; by default ``VQA v2`` or ``VQA v1``.
        version: which files are read, where both are there.
        num_answers: number of classes.
        val_share: of the images of train2014, in (0, 1).
        unanswered: keep the questions of test2015 in the split ``rest`` and the set ``unanswered``.
        seed: of the images for ``val``.
        resize: longest side of stored images in pixels; larger ones are scaled down. An image is stored with each of
            its questions.
        skip_bad: leave bad questions out, and count them, instead of stopping.

    Raises: DataError that lists every fault by row: missing or corrupt image, empty question, a question without
    annotation or the reverse, ids that stand twice, rows without the official fields; files that are cut short.

    Example:
        >>> vqa(Path("out.h5"), lambda done, total: None, source="vqa", resize=224)  # doctest: +SKIP
    """
    root = source_folder(source)
    title = title or f"VQA {version}"
    share = f"{100 * val_share:g} %"
    provenance: dict[str, Any] = {
        "builder": "vqa",
        "version": version,
        "num_answers": num_answers,
        "resize": resize,
        "split_rule": f"train2014, but for val: {share} of its images, seed {seed}; test is val2014",
        "notes": [],
    }
    writer = DatasetWriter(out, name=name, title=title, relevance="group", provenance=provenance)
    with Spill() as spill, Build(root, writer, progress, str(root), skip_bad=skip_bad, resize=resize) as build:
        parts = ["train2014", "val2014"] + ["test2015"] * unanswered
        files = {part: _file(root, version, f"OpenEnded_mscoco_{part}_questions.json") for part in parts}
        reader = _Reader(build, spill, files, num_answers)
        reader.choose_val(val_share, seed)
        for part in parts[:2]:
            reader.annotations(part, _file(root, version, f"mscoco_{part}_annotations.json"))
        reader.choose_classes()
        build.add(reader.drafts(), sum(reader.counts.values()))
        reader.unasked()
        for part in parts:
            build.notes += counted(f"questions of {part}", QUESTIONS[version][part], reader.counts[part])
        build.notes += reader.notes()
        writer.label_names = [*reader.classes, *([OTHER] if reader.others else [])]


def _file(root: Path, version: Version, name: str) -> Path:
    return find(root, PREFIX[version] + name, what=f"VQA {version}")


@dataclass
class _Reader:
    """Joins questions with annotations.

    Args:
        build: is told of faults.
        spill: holds annotations by question id.
        files: part -> its file of questions.
        num_answers: number of classes.
    """

    build: Build
    spill: Spill
    files: dict[str, Path]
    num_answers: int
    val: set[int] = field(default_factory=set)
    frequent: Counter[str] = field(default_factory=Counter)
    classes: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    annotated: dict[int, str] = field(default_factory=dict)  # question -> where it is annotated, until it is asked
    image_ids: set[int] = field(default_factory=set)
    left_out: int = 0
    others: int = 0

    def choose_val(self, share: float, seed: int) -> None:
        """Draw validation's images, and count all questions."""
        images: set[int] = set()
        for part, file in self.files.items():
            for _, row, _ in stream(file, "questions.item", _Question):
                self.counts[part] += 1
                if row is not None and part == "train2014":
                    images.add(row.image_id)
        drawn = np.random.default_rng(seed).permutation(sorted(images))
        self.val = set(drawn[: max(1, round(share * len(drawn)))].tolist())

    def annotations(self, part: str, file: Path) -> None:
        """Put a file's answers aside by question, normalised."""
        for where, row, fault in stream(file, "annotations.item", _Annotation):
            place = f"{file.name} {where}"
            if row is None:
                self.build.fault(place, fault)
                continue
            if row.question_id in self.annotated:
                first = self.annotated[row.question_id]
                self.build.fault(place, f"question {row.question_id} is annotated in {first} already")
                continue
            self.annotated[row.question_id] = place
            right = normalised(row.multiple_choice_answer)
            if not right:
                self.build.fault(place, "empty answer")
                continue
            answers = Counter(normalised(one.answer) for one in row.answers)
            if part == "train2014" and row.image_id not in self.val:
                self.frequent[right] += 1
            answer_row = [row.image_id, right, answers, row.question_type, row.answer_type]
            self.spill.put("answers", str(row.question_id), json.dumps(answer_row))

    def choose_classes(self) -> None:
        """Choose the most frequent answers of training as classes, of equally frequent ones the alphabetically
        first.
        """
        by_count = sorted(self.frequent.items(), key=lambda pair: (-pair[1], pair[0]))
        self.classes = dict(by_count[: self.num_answers])

    def drafts(self) -> Iterator[Draft]:
        """Every question that is kept."""
        for part, file in self.files.items():
            for where, row, fault in stream(file, "questions.item", _Question):
                place = f"{file.name} {where}"
                if row is None:
                    yield Draft(place, None, problems=(fault,))
                    continue
                result = self._draft(part, row, place)
                if result is not None:
                    yield result

    def _draft(self, part: str, row: _Question, place: str) -> Draft | None:
        problems, place = [], f"{place} (question {row.question_id})"
        if row.question_id in self.image_ids:
            problems.append("the question id stands twice")
        self.image_ids.add(row.question_id)
        path = f"{part}/COCO_{part}_{row.image_id:012d}.jpg"
        split = {"val2014": "test", "test2015": "rest"}.get(part, "val" if row.image_id in self.val else "train")
        label, answer, attributes = OTHER, None, None
        answers = self.spill.get("answers", str(row.question_id)) if split != "rest" else None
        if answers is not None:
            image, label, answer, question_type, answer_type = json.loads(answers)
            attributes = {"question_type": question_type, "answer_type": answer_type}
            if image != row.image_id:
                problems.append(f"asks about image {row.image_id}, but its annotation is of image {image}")
            if not answer:
                problems.append("its annotation has no answers")
            if label not in self.classes:
                if split == "train" and not problems:
                    self.left_out += 1
                    return None
                label = OTHER
        elif split != "rest":
            problems.append("no annotation has its id")
        self.others += label == OTHER
        item = Item(
            str(row.question_id),
            None,
            (row.question.strip(),),
            label,
            split=split,
            group=str(row.image_id),
            attributes=attributes,
            answers=answer,
            sets=("unanswered",) if split == "rest" else (),
        )
        return Draft(place, item, image=path, problems=tuple(problems))

    def unasked(self) -> None:
        """Annotations of no question are faults."""
        for question, place in self.annotated.items():
            if question not in self.image_ids:
                self.build.fault(place, f"no question has the id {question}")

    def notes(self) -> list[str]:
        """Return notes for readers of results."""
        results = []
        if self.left_out:
            results.append(f"{self.left_out:,} training questions are left out: their answer is no class")
        answered = self.others - self.counts["test2015"]
        if answered > 0:
            results.append(f"{answered:,} questions of val and test have an answer that is no class; kept as {OTHER}")
        return results
