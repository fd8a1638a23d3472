"""Where tables come from: files of the source alone, the revision that was meant, shards of CLIP_benchmark, columns."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from builder_layouts import picture, put

from vsebench.core.errors import ConfigError, DataError
from vsebench.data.builders._tables import Tables, _check_file
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

Build = Callable[..., Dataset]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def parquet(root: Path, images: list[dict[str, Any]], **columns: list[Any]) -> Path:
    """A Parquet file with cells as they are, which ``datasets`` itself would not write."""
    count = len(images)
    rows = {"image": images, "text": [f"t {n}" for n in range(count)], "label": ["a", "b"] * (count // 2), **columns}
    kinds = {n: datasets.Image() if n == "image" else datasets.Value("string") for n in rows}
    root.mkdir(parents=True, exist_ok=True)
    schema = datasets.Features(kinds).arrow_schema
    pyarrow.parquet.write_table(pyarrow.Table.from_pydict(rows, schema=schema), root / "train.parquet")
    return root


def whole(count: int = 20) -> list[dict[str, Any]]:
    return [{"bytes": picture(n), "path": None} for n in range(count)]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("form", ["absolute", "relative", "link"])
def test_a_cell_brings_no_file_from_outside(form: str, streaming: bool, build: Build, tmp_path: Path) -> None:
    put(tmp_path / "secret.jpg", picture(99))
    root = tmp_path / "in"
    put(root / "own.jpg", picture(50))
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    path = {"absolute": str(tmp_path / "secret.jpg"), "relative": "../secret.jpg", "link": "link.jpg"}[form]
    images = whole()
    images[3], images[4] = {"bytes": None, "path": path}, {"bytes": None, "path": "own.jpg"}
    images[5] = {"bytes": None, "path": str(root / "own.jpg")}
    parquet(root, images)
    with pytest.raises(DataError) as caught:
        build("hub", root, streaming=streaming)
    assert len(caught.value.problems) == 1
    assert "train row 3 (id 'train-3'): image '" in caught.value.problems[0]
    assert "lies outside the folder" in caught.value.problems[0] or "leads out of" in caught.value.problems[0]
    dataset = build("hub", root, streaming=streaming, skip_bad=True)
    stored = [dataset.image_bytes(i) for i in range(len(dataset))]
    assert picture(99) not in stored
    assert picture(50) in stored


def test_a_description_brings_no_file_from_outside(build: Build, tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path / f"secret/{n}.jpg", picture(n))
    for pattern in (str(tmp_path / "secret/*.jpg"), "../secret/*.jpg"):
        root = tmp_path / "in"
        put(root / "README.md", f"---\nconfigs:\n- config_name: default\n  data_files: '{pattern}'\n---\n")
        put(root / "0.jpg", picture(0))
        with pytest.raises(DataError, match="names the data file .*, which lies outside of it"):
            build("hub", root)
        shutil.rmtree(root)


def test_which_data_files_a_repository_may_name() -> None:
    for fine in ("hf://datasets/org/name@0123/a.parquet", "https://example.org/a.zip"):
        _check_file(fine, "org/name", None)
    for other in ("/etc/passwd", "hf://datasets/org/other@0123/a.parquet", "file:///etc/passwd", "s3://bucket/a"):
        with pytest.raises(DataError, match="lies outside of it"):
            _check_file(other, "org/name", None)


def test_cells_of_a_repository_name_no_file_of_this_machine(tmp_path: Path) -> None:
    put(tmp_path / "secret", "secret")
    for path in (str(tmp_path / "secret"), "secret", "../secret"):
        with pytest.raises(OSError, match="lies outside the source, and the cell has no bytes"):
            Tables({}, "parquet").read(path, "image")


def cached(root: Path, version: str) -> None:
    """Put a table into the library's cache as a version of the repository nobody/tiny."""
    parquet(root / "made", whole())
    cache = root / "hf"
    files = {"train": str(root / "made/train.parquet")}
    datasets.load_dataset("parquet", data_files=files, cache_dir=str(cache))
    made = next((cache / "parquet").rglob("dataset_info.json")).parent
    target = cache / "nobody___tiny" / "default" / "0.0.0" / version
    shutil.copytree(made, target)
    for file in target.glob("parquet-*"):
        file.rename(file.with_name(file.name.replace("parquet-", "tiny-")))


def test_the_revision_is_kept_and_no_other_is_taken_for_it(build: Build, tmp_path: Path) -> None:
    cached(tmp_path, "0123456789abcdef")
    provenance = build("hub", "nobody/tiny").provenance
    assert (provenance["revision"], provenance["resolved_revision"]) == (None, "0123456789abcdef")
    assert build("hub", "nobody/tiny", revision="01234567").provenance["resolved_revision"] == "0123456789abcdef"
    with pytest.raises(DataError, match="has version 0123456789abcdef and does not say whether that is revision 'v2'"):
        build("hub", "nobody/tiny", revision="v2")
    with pytest.raises(ConfigError, match="is local: it has no revision"):
        build("hub", parquet(tmp_path / "in", whole()), revision="v2")
    assert build("hub", tmp_path / "in").provenance["resolved_revision"] is None


def shard(file: Path, numbers: range, **members: Callable[[int], bytes]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for key, n in enumerate(numbers):
            for suffix, content in members.items():
                data = content(n)
                member = tarfile.TarInfo(f"s{key:07d}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("shards", [1, 2])
def test_classification_shards_of_clip_benchmark(shards: int, build: Build, tmp_path: Path) -> None:
    root = tmp_path / "wds"
    for split, begin in (("train", 0), ("test", 40)):
        for part in range(shards):
            numbers = range(begin + 20 * part, begin + 20 * part + 20)
            file = root / split / f"{part}.tar"
            shard(file, numbers, webp=picture, cls=lambda n: str(n % 3).encode())
            if part:  # keys go on within a split
                rename(file, part * 20)
        put(root / split / "nshards.txt", str(shards))
    put(root / "classnames.txt", "tench\ngoldfish\ngreat white shark\n")
    put(root / "zeroshot_classification_templates.txt", "a photo of a {c}\n")
    dataset = build("hub", root)
    assert check(dataset) == []
    sizes = {split: len(rows) for split, rows in dataset.splits.items()}
    assert (sizes["train"] + sizes["val"], sizes["test"]) == (20 * shards, 20 * shards)
    assert dataset.label_names == ["tench", "goldfish", "great white shark"]
    at = dataset.ids.index("s0000004")
    assert dataset.image_bytes(at) == picture(4)
    assert dataset.labels[at] == 1
    assert dataset.image_bytes(dataset.ids.index("test/s0000004")) == picture(44)
    message = f"{20 * shards} ids stand in several splits: there they begin with the name of the split"
    assert message in dataset.provenance["notes"]
    put(root / "classnames.txt", "tench\ngoldfish\n")
    with pytest.raises(DataError, match="label 2 is none of the 2 classes"):
        build("hub", root)


def rename(file: Path, first: int) -> None:
    """Let the keys of a shard begin at another number."""
    with tarfile.open(file) as archive:
        members = [(m.name, archive.extractfile(m)) for m in archive.getmembers()]
        contents = [(name, stream.read()) for name, stream in members if stream is not None]
    with tarfile.open(file, "w") as archive:
        for name, data in contents:
            member = tarfile.TarInfo(f"s{int(name[1:8]) + first:07d}{name[8:]}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_retrieval_shards_of_clip_benchmark(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "wds"

    def texts(n: int) -> bytes:
        return "\n".join(f"picture {n} caption {c}" for c in range(5)).encode()

    shard(root / "test" / "0.tar", range(20), jpg=picture, txt=texts)
    put(root / "test" / "nshards.txt", "1")
    dataset = build("hub", root)
    assert len(dataset) == 20
    assert dataset.texts(7) == [f"picture 7 caption {c}" for c in range(5)]
    assert (
        "20 texts hold several lines: each line is a text of its own (--text-lines one: one)"
        in (dataset.provenance["notes"])
    )
    assert len(build("hub", root, text_lines="one").texts(7)) == 1


def test_columns_of_one_kind(build: Build, tmp_path: Path) -> None:
    kinds = {
        "image": datasets.Image(),
        "coarse": datasets.ClassLabel(names=["a", "b"]),
        "fine": datasets.ClassLabel(names=["c", "d"]),
    }
    rows = {"image": whole(), "coarse": [0, 1] * 10, "fine": [1, 0] * 10}
    table = datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))
    table.to_parquet(str(tmp_path / "in.parquet"))
    with pytest.raises(
        ConfigError, match=r"columns 'coarse', 'fine' of '.*' all hold a label; say which .*label-column"
    ):
        build("hub", tmp_path / "in.parquet")
    assert build("hub", tmp_path / "in.parquet", label_column="fine").label_names == ["c", "d"]
    assert build("hub", tmp_path / "in.parquet", label_column="").num_classes == 0
    table.rename_column("fine", "label").to_parquet(str(tmp_path / "in.parquet"))
    dataset = build("hub", tmp_path / "in.parquet")
    assert dataset.label_names == ["c", "d"]
    assert (
        "the columns 'coarse', 'label' all hold a label; 'label' is used (--label-column)"
        in (dataset.provenance["notes"])
    )


def test_captions_in_numbered_columns(build: Build, tmp_path: Path) -> None:
    columns = {f"caption_{c}": [f"picture {n} caption {c}" for n in range(20)] for c in range(5)}
    root = parquet(tmp_path / "in", whole(), text=["x"] * 20, **columns)
    table = datasets.load_dataset("parquet", data_files=str(root / "train.parquet"), split="train")
    table.remove_columns("text").to_parquet(str(root / "train.parquet"))
    dataset = build("hub", root)
    assert dataset.texts(3) == [f"picture 3 caption {c}" for c in range(5)]
    assert build("hub", root, text_column="caption_4,caption_0").texts(3) == [
        "picture 3 caption 4",
        "picture 3 caption 0",
    ]
    one = build("hub", root, text_column="")
    assert one.texts(3) == []


def test_texts_without_use_are_named(build: Build, tmp_path: Path) -> None:
    table = datasets.Dataset.from_dict({"image": whole(), "blurb": ["x"] * 20}).cast_column("image", datasets.Image())
    table.to_parquet(str(tmp_path / "in.parquet"))
    notes = build("hub", tmp_path / "in.parquet").provenance["notes"]
    assert "no text and no label; columns without use: blurb (--text-column or --label-column)" in notes


def test_class_numbers_must_mean_the_same_in_every_split(build: Build, tmp_path: Path) -> None:
    def table(names: list[str], start: int) -> datasets.Dataset:
        kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
        rows = {"image": [{"bytes": picture(start + n), "path": None} for n in range(20)], "label": [0, 1] * 10}
        return datasets.Dataset.from_dict(rows, features=kinds)

    splits = {"train": table(["cat", "dog"], 0), "test": table(["dog", "cat"], 20)}
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "in"))
    with pytest.raises(
        DataError, match="split 'test' of '.*' numbers its classes differently: dog, cat instead of cat"
    ):
        build("hub", tmp_path / "in")


def test_damaged_images_are_named_without_an_address(build: Build, tmp_path: Path) -> None:
    images = whole()
    images[2] = {"bytes": b"not an image", "path": None}
    with pytest.raises(DataError) as caught:
        build("hub", parquet(tmp_path / "in", images))
    assert "0x" not in str(caught.value)
    assert "train row 2 (id 'train-2'): image: " in str(caught.value)
