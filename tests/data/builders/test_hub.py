"""Tables of Hugging Face datasets: Parquet, Arrow, shards, a cache without the hub."""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from builder_layouts import picture, put, sound

from vsebench.core.errors import ConfigError, DataError, VsebenchError
from vsebench.data.check import check
from vsebench.data.dataset import Dataset

Build = Callable[..., Dataset]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def table(start: int, count: int, **columns: list[Any]) -> datasets.Dataset:
    numbers = range(start, start + count)
    features = {
        "picture": datasets.Image(),
        "said": datasets.Sequence(datasets.Value("string")),
        "kind": datasets.ClassLabel(names=["zebra", "ant"]),
    }
    rows = {
        "picture": [{"bytes": picture(n), "path": None} for n in numbers],
        "said": [[f"caption {n}", f"also {n}"] for n in numbers],
        "kind": [n % 2 for n in numbers],
    }
    for name, values in columns.items():
        rows[name] = values
        features.pop(name, None)
    whole = {**features, **{n: datasets.Value("int64") for n in columns if n == "kind"}}
    return datasets.Dataset.from_dict(rows, features=datasets.Features({n: whole[n] for n in rows if n in whole}))


def saved(root: Path, form: str, **splits: datasets.Dataset) -> Path:
    if form == "disk":
        datasets.DatasetDict(splits).save_to_disk(str(root))
    else:
        (root / "data").mkdir(parents=True)
        for name, rows in splits.items():
            rows.to_parquet(str(root / "data" / f"{name}-00000-of-00001.parquet"))
    return root


def written(root: Path, rows: dict[str, list[Any]], features: datasets.Features) -> Path:
    """Rows as they are, also those that ``datasets`` would not write."""
    root.mkdir()
    schema = features.arrow_schema
    pyarrow.parquet.write_table(pyarrow.Table.from_pydict(rows, schema=schema), root / "train.parquet")
    return root


@pytest.mark.parametrize("form", ["disk", "parquet"])
@pytest.mark.parametrize("streaming", [False, True])
def test_own_splits(form: str, streaming: bool, build: Build, tmp_path: Path) -> None:
    root = saved(tmp_path / "in", form, train=table(0, 20), validation=table(20, 6), test=table(26, 6))
    dataset = build("hub", root, streaming=streaming, text_column="said")
    assert check(dataset) == []
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 20, "val": 6, "test": 6}
    assert dataset.label_names == ["zebra", "ant"], "in the order of the ClassLabel"
    assert dataset.ids[0] == "train-0"
    assert dataset.texts(3) == ["caption 3", "also 3"]
    assert dataset.image_bytes(21) == picture(21)
    assert dataset.labels[:4].tolist() == [0, 1, 0, 1]
    assert dataset.provenance["columns"] == {"image": "picture", "text": "said", "label": "kind"}


def test_splits_made_by_rule(build: Build, tmp_path: Path) -> None:
    one = build("hub", saved(tmp_path / "one", "parquet", train=table(0, 40)), text_column="said")
    assert {k: len(v) for k, v in one.splits.items()} == {"train": 32, "val": 4, "test": 4}
    two = build("hub", saved(tmp_path / "two", "disk", train=table(0, 40), test=table(40, 10)), text_column="said")
    assert {k: len(v) for k, v in two.splits.items()} == {"train": 36, "val": 4, "test": 10}
    assert two.provenance["split_rule"] == (
        "the dataset's own, but for val: 10 % of train, stratified, whole groups, seed 0"
    )
    odd = saved(tmp_path / "odd", "disk", train=table(0, 20), extra=table(20, 20))
    with pytest.raises(
        ConfigError, match=r"a split 'extra'; say what each is, such as --splits train=train,extra=rest"
    ):
        build("hub", odd, text_column="said")
    named = build("hub", odd, text_column="said", splits="train=train,extra=test", limit=10)
    assert {k: len(v) for k, v in named.splits.items()} == {"train": 9, "val": 1, "test": 10}
    with pytest.raises(ConfigError, match=r"no split 'trian'. Did you mean 'train'"):
        build("hub", odd, text_column="said", splits="trian=train")
    with pytest.raises(ConfigError, match="'learn' is none of train, val, test, rest"):
        build("hub", odd, text_column="said", splits="train=learn")


def test_columns(build: Build, tmp_path: Path) -> None:
    root = saved(tmp_path / "in", "parquet", train=table(0, 40))
    with pytest.raises(ConfigError, match=r"no column 'sayd' for the text \(--text-column\) .* Did you mean 'said'"):
        build("hub", root, text_column="sayd")
    without_text = build("hub", root)
    assert without_text.texts(0) == []
    unlabelled = table(0, 20).remove_columns("kind")
    assert build("hub", saved(tmp_path / "u", "disk", train=unlabelled)).num_classes == 0
    nothing = datasets.Dataset.from_dict({"a": [1, 2], "b": [3, 4]})
    with pytest.raises(ConfigError, match=r"no column that is an image, a text or a sound by name.*Columns: a, b"):
        build("hub", saved(tmp_path / "n", "disk", train=nothing))


def test_multi_label_and_sounds(build: Build, tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "audio": datasets.Audio(),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["a", "b", "c"])),
            "text": datasets.Value("string"),
        }
    )
    rows = {
        "audio": [{"bytes": sound(n), "path": None} for n in range(20)],
        "tags": [[n % 3, 2] if n % 3 < 2 else [2] for n in range(20)],
        "text": [f"text {n}" for n in range(20)],
    }
    dataset = build("hub", written(tmp_path / "in", rows, features), label_column="tags")
    assert dataset.multi_label
    assert dataset.labels[:3].tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 1]]
    assert dataset.audio_bytes(5) == sound(5)


def test_faults_by_row(build: Build, tmp_path: Path) -> None:
    bad = table(0, 20)
    rows = bad.cast_column("picture", datasets.Image(decode=False)).to_dict()
    rows["picture"][2] = {"bytes": picture(2)[:40], "path": None}
    rows["picture"][4] = {"bytes": None, "path": str(tmp_path / "in" / "no.jpg")}
    rows["picture"][5] = None
    rows["said"][6], rows["said"][7] = [], ["fine", " "]
    rows["kind"][8] = -1
    root = written(tmp_path / "in", rows, bad.features)
    with pytest.raises(DataError, match="6 faults") as caught:
        build("hub", root, text_column="said")
    message = [p.partition(" (id")[0] + ":" + p.partition("):")[2] for p in caught.value.problems]
    assert message[0].startswith("train row 2: image: image cannot be decoded")
    assert message[1].startswith("train row 4: image '")
    assert message[1].endswith("no.jpg' does not exist")
    assert message[2:] == [
        "train row 5: no image",
        "train row 6: no text",
        "train row 7: empty text",
        "train row 8: no label",
    ]
    assert len(build("hub", root, text_column="said", skip_bad=True)) == 14


def test_leaks_are_noted(build: Build, tmp_path: Path) -> None:
    root = saved(tmp_path / "in", "disk", train=table(0, 20), test=table(18, 6))
    notes = build("hub", root, text_column="said").provenance["notes"]
    assert notes == ["2 images with identical pixels stand in more than one split"]


def shard(file: Path, numbers: range) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for n in numbers:
            for suffix, data in (("jpg", picture(n)), ("txt", f"caption {n}".encode()), ("cls", str(n % 2).encode())):
                member = tarfile.TarInfo(f"{n:04d}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def test_webdataset_shards(build: Build, tmp_path: Path) -> None:
    root = tmp_path / "in"
    shard(root / "train-000.tar", range(12))
    shard(root / "train-001.tar", range(12, 24))
    shard(root / "test-000.tar", range(24, 30))
    dataset = build("hub", root)
    assert check(dataset) == []
    assert sorted(dataset.ids) == [f"{n:04d}" for n in range(30)]
    assert len(dataset.splits["test"]) == 6
    at = dataset.ids.index("0017")
    assert dataset.image_bytes(at) == picture(17)
    assert dataset.texts(at) == ["caption 17"]
    assert dataset.label_names[int(dataset.labels[at])] == "1"
    whole = (root / "train-001.tar").read_bytes()
    (root / "train-001.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be loaded"):
        build("hub", root)
    shard(root / "train-001.tar", range(8, 20))
    with pytest.raises(DataError, match=r"\(id '0008'\): the id stands in train row 8 already"):
        build("hub", root)


def test_image_folder_by_datasets(build: Build, tmp_path: Path) -> None:
    for n in range(30):
        put(tmp_path / f"in/{'ab'[n % 2]}/{n}.jpg", picture(n))
    dataset = build("hub", tmp_path / "in")
    assert dataset.label_names == ["a", "b"]
    assert len(dataset) == 30


def test_without_the_hub(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'nobody/nothing' cannot be loaded .*cache holds can be read"):
        build("hub", "nobody/nothing")
    put(tmp_path / "a.txt", "x")
    with pytest.raises(DataError, match=r"is none of .parquet, .arrow, .tar"):
        build("hub", tmp_path / "a.txt")


def test_damaged_tables(build: Build, tmp_path: Path) -> None:
    root = saved(tmp_path / "in", "parquet", train=table(0, 20))
    file = next(root.rglob("*.parquet"))
    whole, rng = file.read_bytes(), random.Random(0)
    disk = saved(tmp_path / "disk", "disk", train=table(0, 20))
    arrow = next(disk.rglob("*.arrow"))
    for target, source in ((file, root), (arrow, disk)):
        whole = target.read_bytes()
        for left in (
            b"",
            whole[:100],
            whole[: len(whole) // 2],
            rng.randbytes(3000),
            whole[::-1],
            b"PAR1" + b"\0" * 500,
        ):
            target.write_bytes(left)
            with pytest.raises(VsebenchError):
                build("hub", source, text_column="said", skip_bad=True)
            assert not (tmp_path / "built.h5").exists()
        target.write_bytes(whole)
    (disk / "dataset_dict.json").write_text(json.dumps({"splits": ["nowhere"]}))
    with pytest.raises(VsebenchError):
        build("hub", disk)


def test_numbers_as_labels(build: Build, tmp_path: Path) -> None:
    root = saved(tmp_path / "in", "disk", train=table(0, 20, kind=list(np.arange(20) % 2 + 7)))
    assert build("hub", root, label_column="kind").label_names == ["7", "8"]


def test_from_the_cache_without_the_hub(build: Build, tmp_path: Path) -> None:
    cache = tmp_path / "hf"
    table(0, 20).to_parquet(str(tmp_path / "train.parquet"))
    datasets.load_dataset("parquet", data_files={"train": str(tmp_path / "train.parquet")}, cache_dir=str(cache))
    made = next(cache.rglob("dataset_info.json")).parent
    selected = cache / "nobody___tiny" / "default" / "0.0.0" / "0123456789abcdef"
    shutil.copytree(made, selected)
    for file in selected.glob("parquet-*"):
        file.rename(file.with_name(file.name.replace("parquet-", "tiny-")))
    dataset = build("hub", "nobody/tiny", text_column="said")
    assert len(dataset) == 20
    assert dataset.provenance["source"] == "nobody/tiny"
    assert dataset.image_bytes(3) == picture(3)
