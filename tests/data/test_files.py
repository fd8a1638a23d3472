"""Files of a source folder: regular ones inside it, of limited size; everything else is named, and never waited for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from vsebench.core.errors import DataError
from vsebench.data.builders._features import open_features
from vsebench.data.builders._json import read_json
from vsebench.data.builders._matrices import read_matrix
from vsebench.data.files import read_inside
from vsebench.data.table import read_table


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file, a FIFO, a socket, and links to a device, to a file outside, to one inside and to itself."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "fine.png").write_bytes(b"fine")
    (tmp_path / "secret").write_bytes(b"secret")
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "outside.png").symlink_to(tmp_path / "secret")
    (folder / "up.png").symlink_to("../secret")
    (folder / "inside.png").symlink_to("fine.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "folder.png").mkdir()
    here = os.getcwd()
    os.chdir(folder)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket.png")
        os.chdir(here)
        yield folder


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fifo.png", "image 'fifo.png' cannot be read (it is a FIFO, not a regular file)"),
        ("socket.png", "image 'socket.png' cannot be read (it is a socket, not a regular file)"),
        ("outside.png", "image 'outside.png' cannot be read (a link leads out of the folder, to "),
        ("up.png", "image 'up.png' cannot be read (a link leads out of the folder, to "),
        ("zero.png", "image 'zero.png' cannot be read (a link leads out of the folder, to /dev/zero"),
        ("loop.png", "image 'loop.png' cannot be read (Too many levels of symbolic links)"),
        ("folder.png", "image 'folder.png' cannot be read (Is a directory)"),
        ("no.png", "image 'no.png' does not exist"),
        ("../secret", "image '../secret' lies outside the folder"),
        ("/dev/zero", "image '/dev/zero' lies outside the folder"),
        ("a\0b", "image 'a\0b' cannot be read ("),
    ],
)
def test_what_is_not_read(root: Path, path: str, text: str) -> None:
    with pytest.raises(OSError, match="image") as caught:
        read_inside(root, path, "image")
    assert str(caught.value).startswith(text)


def test_what_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_inside(root, "fine.png", "image") == read_inside(root, "inside.png", "image") == b"fine"
    monkeypatch.setenv("VSEBENCH_FOLLOW_LINKS", "1")
    assert read_inside(root, "outside.png", "image") == b"secret"
    with pytest.raises(OSError, match=r"'zero.png' cannot be read \(it is a device, not a regular file\)"):
        read_inside(root, "zero.png", "image")


def test_the_size_is_limited(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSEBENCH_MAX_FILE_SIZE", "4")
    assert read_inside(root, "fine.png", "image") == b"fine"
    monkeypatch.setenv("VSEBENCH_MAX_FILE_SIZE", "3")
    with pytest.raises(OSError, match=r"larger than 3 B; VSEBENCH_MAX_FILE_SIZE sets another limit"):
        read_inside(root, "fine.png", "image")


READERS: dict[str, Callable[[Path], object]] = {
    ".csv": read_table,
    ".jsonl": read_table,
    ".json": lambda file: read_json(file, list),
    ".npy": read_matrix,
    ".mat": read_matrix,
    ".txt": read_matrix,
}


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_a_fifo_in_the_place_of_a_table_is_named(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"x{suffix}")
    with pytest.raises(DataError, match="a FIFO, not a regular file"):
        READERS[suffix](tmp_path / f"x{suffix}")


def test_features_stay_in_their_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.ones((2, 3)))
    folder = tmp_path / "features"
    folder.mkdir()
    (folder / "link.npy").symlink_to(tmp_path / "secret.npy")
    os.mkfifo(folder / "fifo.npy")
    source = open_features(str(folder))
    for one, message in (
        ("../secret", "lie outside the folder"),
        (str(tmp_path / "secret"), "lie outside the folder"),
        ("link", "a link leads out of the folder"),
        ("fifo", "a FIFO"),
        ("a\0b", "no features"),
    ):
        with pytest.raises(OSError, match=message):
            source.get(one, 0)


def test_hdf5_holds_its_own_values(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(32))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["one"] = np.ones((2, 3))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["one"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "one")
        file.create_dataset("two", (8,), np.float32, external=[(str(tmp_path / "secret"), 0, 32)])
        layout = h5py.VirtualLayout((2, 3), np.float64)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "one", (2, 3))
        file.create_virtual_dataset("three", layout)
        file["four"] = np.ones((2, 3), np.float32)
    source = open_features(str(tmp_path / "x.h5"))
    for one in ("one", "two", "three"):
        with pytest.raises(OSError, match="another file"):
            source.get(one, 0)
    assert source.get("four", 0).shape == (2, 3)
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["features"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "one")
    with pytest.raises(DataError, match="'features' is a link to another file"):
        open_features(str(tmp_path / "y.h5"))
