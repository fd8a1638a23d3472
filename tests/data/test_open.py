"""From the name in an experiment to an open file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.open import available, open_dataset
from vsebench.errors import ConfigError, DataError
from vsebench.home import datasets_home

SMALL = {"name": "mmfrb", "items": 40, "image_size": 32}


def test_by_path_and_by_name(items: Callable[..., list[Item]], write: Callable[..., Dataset]) -> None:
    file = datasets_home() / "photos.h5"
    write(file, items())
    assert open_dataset("photos").path == open_dataset(str(file)).path == file
    assert open_dataset({"name": "photos"}).name == "demo"
    with pytest.raises(
        ConfigError, match=r"'photos' is a file that was built already; it takes no options. Got 'seed'"
    ):
        open_dataset({"name": "photos", "seed": 1})
    with pytest.raises(DataError, match=r"no dataset 'photso'. Did you mean 'photos'\? There are: .*data build photso"):
        open_dataset("photso")
    with pytest.raises(ConfigError, match="needs a 'name'"):
        open_dataset({"seed": 1})
    with pytest.raises(DataError, match=r"nowhere\.h5: no such dataset file"):
        open_dataset("nowhere.h5")


def test_embedded_data_are_generated_once_for_the_same_options() -> None:
    said: list[str] = []
    first = open_dataset(SMALL, say=said.append)
    assert open_dataset(SMALL, say=said.append).path == first.path
    assert len(said) == 1
    other = open_dataset({**SMALL, "seed": 1}, say=said.append)
    assert other.path != first.path
    assert other.fingerprint != first.fingerprint
    with pytest.raises(ConfigError, match="itmes"):
        open_dataset({"name": "mmfrb", "itmes": 40})


def test_generated_files_are_not_listed_but_names_like_them_are(
    items: Callable[..., list[Item]], write: Callable[..., Dataset]
) -> None:
    open_dataset(SMALL)
    write(datasets_home() / "mmfrb-mine.h5", items())
    assert available() == ["garments_audio", "mmfrb", "mmfrb-mine", "vqa_garments"]
