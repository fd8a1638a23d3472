"""Damaged pictures, sounds and dataset files: an error of one line or a sound value, never anything else.

``VSEBENCH_FUZZ=1500`` tries that many of each instead of a few.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from damage import apply, changes, damaged, pictures, sounds
from dataset_files import SEALED, rich, seal_as
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vsebench.core.errors import DataError
from vsebench.core.types import Preprocessing
from vsebench.data.builders._features import open_features
from vsebench.data.builders._images import look_at
from vsebench.data.check import check
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.pixels import decode, pixel_count
from vsebench.data.show import contact_sheet, summary
from vsebench.data.sound import load_sound, sound_info

FUZZ = settings(
    max_examples=int(os.environ.get("VSEBENCH_FUZZ", "40")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PLAIN = Preprocessing((16, 16), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")
HANG_S = 20
files_of = {"pictures": cache(pictures), "sounds": cache(sounds)}


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a damaged header does not take gigabytes of this machine."""
    monkeypatch.setenv("VSEBENCH_MAX_PIXELS", "1000000")
    monkeypatch.setenv("VSEBENCH_MAX_SAMPLES", "10000000")


def refused(work: Callable[[], Any], kind: type[Exception] = OSError) -> tuple[str | None, Any]:
    """The one line of an error of that kind, and what the work gave."""
    try:
        return None, work()
    except kind as error:
        message = str(error)
    assert message
    assert "\n" not in message
    assert "object at 0x" not in message
    return message, None


@pytest.mark.filterwarnings("ignore")  # Pillow's and libsndfile's own, of damaged files
@FUZZ
@given(data=st.data())
def test_pictures(data: st.DataObject) -> None:
    content = data.draw(damaged(data.draw(st.sampled_from(files_of["pictures"]()))))
    begin = time.monotonic()
    message, pixels = refused(lambda: (pixel_count(content), decode(content, PLAIN)))
    if message is None:
        assert (pixels[1].shape, pixels[1].dtype) == ((3, 16, 16), np.uint8)
    loaded = look_at(content, "image 'a.png'", 16)
    assert (loaded.data is None) == (loaded.problem is not None)
    assert time.monotonic() - begin < HANG_S


@pytest.mark.filterwarnings("ignore")
@FUZZ
@given(data=st.data())
def test_sounds(data: st.DataObject) -> None:
    content = data.draw(damaged(data.draw(st.sampled_from(files_of["sounds"]()))))
    begin = time.monotonic()
    message, read = refused(lambda: (sound_info(content), load_sound(content, 8000)))
    if message is None:
        info, samples = read
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert abs(len(samples) - info.seconds * 8000) <= 1
    assert time.monotonic() - begin < HANG_S


def everything(dataset: Dataset) -> list[Any]:
    """All that a dataset says."""
    parts: list[Any] = [dataset.ids, dataset.labels.tolist(), dataset.groups.tolist(), dataset.describe()]
    parts += [{k: v.tolist() for k, v in both.items()} for both in (dataset.splits, dataset.sets)]
    for i in range(len(dataset)):
        parts += [dataset.image_bytes(i), dataset.audio_bytes(i), dataset.texts(i), dataset.attributes(i)]
        parts += [dataset.item_features(m, i).tobytes() for m in dataset.feature_dims]
        parts += [None if a is None else a.tobytes() for a in (dataset.boxes(i), dataset.landmarks(i))]
    return [*parts, dataset.answers(np.arange(len(dataset)))]


@pytest.fixture
def whole(tmp_path: Path, items: Callable[..., list[Item]], write: Callable[..., Dataset]) -> Path:
    """A dataset file with everything."""
    write(tmp_path / "whole.h5", rich(items())).close()
    return tmp_path / "whole.h5"


@FUZZ
@given(data=st.data())
def test_damaged_dataset_files(whole: Path, data: st.DataObject) -> None:
    """The seal is looked at before HDF5 is: what is read at all is what was written."""
    path = whole.with_name("damaged.h5")
    content = data.draw(damaged(whole.read_bytes()))
    path.write_bytes(content)
    message, read = refused(lambda: everything(Dataset.open(path)), DataError)
    if message is not None:
        assert message.startswith(f"{path}: ")
    else:
        assert read == everything(Dataset.open(whole))


@FUZZ
@given(data=st.data())
def test_dataset_files_of_another_form(whole: Path, data: st.DataObject) -> None:
    """Changed with h5py: without a right seal nothing is read; with one, what has the right form."""
    with h5py.File(whole) as file:
        names: list[str] = []
        file.visit(names.append)
    path = whole.with_name("changed.h5")
    shutil.copyfile(whole, path)
    with h5py.File(path, "r+") as file:
        for kind, name, value in data.draw(changes(tuple(names))):
            try:
                apply(file, kind, name, value)
            except (KeyError, ValueError, TypeError, OSError, RuntimeError):
                continue  # its group is gone already, or there is no such cast
    with pytest.raises(DataError, match="has no seal"):
        Dataset.open(path)
    if data.draw(st.booleans()):
        seal_as(path, SEALED)
    message, dataset = refused(lambda: Dataset.open(path, sealed=False), DataError)
    sheet = path.with_suffix(".png")
    for read in (everything, summary, lambda d: contact_sheet(d, sheet, split=next(iter(d.splits)), rows=1, columns=2)):
        if message is None:
            message, _ = refused(lambda read=read: read(dataset), DataError)  # type: ignore[misc]
    if message is not None:
        assert str(path) in message
    else:
        assert all("\n" not in problem for problem in check(dataset))
    path.unlink()


@FUZZ
@given(data=st.data())
def test_feature_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Precomputed features in HDF5, an array with ids or an array for each id."""
    path = tmp_path_factory.getbasetemp() / "features.h5"
    with h5py.File(path, "w") as file:
        if data.draw(st.booleans()):
            file["features"] = np.ones((12, 3, 4), np.float32)
            file["ids"] = np.arange(12)
            file["num_boxes"] = np.full(12, 2)
        else:
            for i in range(12):
                file[f"{i}/features"] = np.ones((3, 4), np.float16)
        names: list[str] = []
        file.visit(names.append)
        for kind, name, value in data.draw(changes(tuple(names))):
            try:
                apply(file, kind, name, value)
            except (KeyError, ValueError, TypeError, OSError, RuntimeError):
                continue
    message, source = refused(lambda: open_features(str(path)), DataError)
    if message is not None:
        assert message.startswith(f"{path}: ")
        return
    for i in range(13):
        message, tokens = refused(lambda i=i: source.get(str(i), i))  # type: ignore[misc]
        assert message is not None or (tokens.ndim == 2 and np.isfinite(tokens).all())
    source.file.close()
