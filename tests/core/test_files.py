"""Files appear whole or not at all; a fault of the disk is one line that names the file and what would help."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from vsebench.core.errors import DiskError
from vsebench.core.files import (
    explain,
    is_sealed,
    locked,
    replacing,
    replacing_folder,
    seal,
    sealing,
    set_aside,
    write_atomically,
)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 64 KiB; writing more is an error, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, before)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with replacing(file) as partial:
        partial.write_text("{}")
        assert not file.exists()
        assert partial.suffix == ".json", "NumPy would add an ending of its own"
    assert file.read_text() == "{}"
    assert os.listdir(tmp_path) == ["a.json"]


def test_nothing_partial_is_left_and_the_old_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(file) as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_permissions_are_the_usual_ones_whatever_a_library_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a") as partial:
            partial.unlink()
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_one_line_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "big.txt"
    with pytest.raises(DiskError, match=r"big.txt: .*") as caught:
        write_atomically(file, "x" * (1 << 17))
    assert len(str(caught.value).splitlines()) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("small_files")
def test_libraries_that_hide_the_cause_do_not_hide_it_here(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensor = torch.zeros(1 << 16)
    with (
        pytest.raises(DiskError, match="a.pt: the file would be larger"),
        replacing(tmp_path / "a.pt") as partial,
        sealing(partial) as stream,
    ):
        torch.save(tensor, stream)  # type: ignore[arg-type]
    with (
        pytest.raises(DiskError, match="a.safetensors: the file would be larger"),
        replacing(tmp_path / "a.safetensors") as partial,
    ):
        save_file({"x": tensor}, partial)
    with pytest.raises(DiskError, match="a.npz: the file would be larger"), replacing(tmp_path / "a.npz") as partial:
        np.savez(partial, x=tensor.numpy())
    assert os.listdir(tmp_path) == []


def test_a_seal_notices_every_change_and_disturbs_no_reader(tmp_path: Path) -> None:
    arrays, state = tmp_path / "a.npz", tmp_path / "a.pt"
    np.savez(arrays, x=np.arange(3))
    seal(arrays)
    with sealing(state) as stream:
        torch.save({"x": torch.arange(3)}, stream)  # type: ignore[arg-type]
    assert np.load(arrays)["x"].tolist() == torch.load(state, weights_only=True)["x"].tolist() == [0, 1, 2]
    for file in (arrays, state):
        assert is_sealed(file)
        whole = file.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert not is_sealed(file)
        for length in (0, 10, len(whole) - 1):
            file.write_bytes(whole[:length])
            assert not is_sealed(file)


def test_what_is_set_aside_can_be_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    for content in ("first", "second"):
        file.write_text(content)
        assert set_aside(file).read_text() == content
    assert os.listdir(tmp_path) == ["result.json.damaged"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_needs_no_lock(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    def acquire(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with locked(tmp_path / "a"):
        pass
    number = errno.ENOSPC
    with pytest.raises(OSError, match="No space"), locked(tmp_path / "a"):
        pass


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, r"no space is left on its disk \(.*free\)\. Free some there"),
        (errno.EDQUOT, "the user's quota is used up"),
        (errno.EROFS, r"its disk is read-only. Give the command another place to write to"),
        (errno.EACCES, "permission denied"),
        (errno.ENOENT, "no such file or folder"),
        (errno.EISDIR, "a folder, not a file"),
        (errno.EMFILE, "too many files are open"),
        (errno.ECONNREFUSED, "Connection refused"),
    ],
)
def test_faults_say_what_would_help(number: int, words: str, tmp_path: Path) -> None:

    file = tmp_path / "runs" / "a.json"
    message = explain(OSError(number, os.strerror(number), str(file)))
    assert re.match(re.escape(f"{file}: ") + words, message), message
    assert "\n" not in message


def test_faults_of_the_home_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VSEBENCH_HOME", str(tmp_path))
    file = str(tmp_path / "features" / "x")
    assert "VSEBENCH_HOME" in explain(OSError(errno.EROFS, "", file))
    assert "vsebench cache prune" in explain(OSError(errno.ENOSPC, "", file))


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_the_command_line_shows_one_line(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import vsebench.cli.app as cli

    def fail(**_: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / ".page.partial-123.md"))

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {tmp_path / 'page.md'}: ")
    assert shown.count("\n") == 1


def test_what_did_not_change_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    write_atomically(file, "the same")
    before = file.stat().st_mtime_ns, file.stat().st_ino
    write_atomically(file, "the same")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    with replacing_folder(folder) as partial:
        (partial / "a").write_text("first")
    with pytest.raises(ValueError, match="stop"), replacing_folder(folder) as partial:
        (partial / "a").write_text("half")
        raise ValueError("stop")
    assert (folder / "a").read_text() == "first"
    with replacing_folder(folder) as partial:
        (partial / "b").write_text("second")
    assert [f.name for f in folder.iterdir()] == ["b"]
    assert list(tmp_path.iterdir()) == [folder]
