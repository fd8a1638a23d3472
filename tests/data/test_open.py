"""From the name in an experiment to an open file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import python

from vsebench.config.code_files import code_files
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.home import datasets_home
from vsebench.core.registry import DATASETS
from vsebench.data.dataset import Dataset
from vsebench.data.item import Item
from vsebench.data.open import available, generator_digest, open_dataset

SMALL = {"name": "mmfrb", "edition": "single", "items": 40, "image_size": 32}


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
    lines: list[str] = []
    first = open_dataset(SMALL, say=lines.append)
    assert open_dataset(SMALL, say=lines.append).path == first.path
    assert len(lines) == 1
    other = open_dataset({**SMALL, "seed": 1}, say=lines.append)
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


BUILDER = """
from pathlib import Path
from typing import Any

import vsebench as vb
from helper import word


@vb.DATASETS.register("words_of_mine", source="a test", embedded=True)
def words_of_mine(out: Path, progress, *, items: int = 20) -> None:
    with vb.DatasetWriter(out, name="words_of_mine", title="Words") as writer:
        for n in range(items):
            writer.add(vb.Item(str(n), None, (word(n),), "ab"[n % 2]))
"""
OPENED = """
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])
from vsebench.data.open import open_dataset
from vsebench.core.plugins import load_plugin

load_plugin(Path(sys.argv[1]) / "builder.py")
dataset = open_dataset("words_of_mine")
print(dataset.path.name, dataset.texts(3)[0])
"""


def test_a_changed_helper_of_a_plugin_generates_again(tmp_path: Path) -> None:
    def opened() -> list[str]:
        done = python(OPENED, tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    (tmp_path / "builder.py").write_text(BUILDER)
    (tmp_path / "helper.py").write_text("import deeper\n\ndef word(n):\n    return deeper.PREFIX + str(n)\n")
    (tmp_path / "deeper.py").write_text("PREFIX = 'word'\n")
    first = opened()
    assert first[1] == "word3"
    (tmp_path / "deeper.py").write_text("# the same\nPREFIX = 'word'\n")
    assert opened() == first, "a comment changes nothing"
    (tmp_path / "deeper.py").write_text("PREFIX = 'changed'\n")
    second = opened()
    assert second[1] == "changed3"
    assert second[0] != first[0]


def test_a_generator_rests_on_all_that_it_imports() -> None:
    files = {file.stem for file in code_files(Path(str(DATASETS.builtin_file("mmfrb"))))}
    assert {"mmfrb", "grammar", "latent", "writer", "splits", "item"} <= files
    digests = {name: generator_digest(name) for name in ("mmfrb", "garments_audio", "vqa_garments")}
    assert len(set(digests.values())) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"items": 60}, "'items' is of edition 'single', and this is 'scenes'."),
        ({"edition": "single", "scenes": 60}, "'scenes' is of edition 'scenes', and this is 'single'."),
    ],
)
def test_an_option_of_another_edition(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_dataset({"name": "mmfrb", **options})
