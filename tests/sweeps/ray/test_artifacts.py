"""A run's folder that travels in pieces arrives as it was, once, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planned import DATA

from vsebench.core.types import Result
from vsebench.runs.store import Store
from vsebench.sweeps.ray import artifacts as bundle
from vsebench.sweeps.ray.artifacts import ArtifactBundle, assemble, deliver, pack, pieces


def result(run_id: str = "r", status: str = "finished") -> Result:
    return Result(run_id=run_id, experiment="e", system="s", seed=0, status=status, config={}, dataset=DATA, notes=[])


def run_file(file: Path) -> None:
    file.write_text("here")


@pytest.fixture
def present(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A run as it was done elsewhere, and small pieces."""
    monkeypatch.setattr(bundle.pieces, "__defaults__", (4,))
    store = Store(tmp_path / "there", "e")
    store.write(result())
    folder = store.run_folder("r")
    files = {"history.jsonl": b"", "model.safetensors": bytes(range(9)), "run.yaml": b"there", "checkpoint.pt": b"no"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return store


@pytest.mark.parametrize("size", [0, 1, 4, 5, 8])
def test_pieces_make_the_file_again(tmp_path: Path, size: int) -> None:
    (tmp_path / "from").write_bytes(bytes(range(size)))
    parts = list(pieces(tmp_path / "from", 4))
    assert all(0 < len(part) <= 4 for part in parts)
    assemble(tmp_path / "to", parts)
    assert (tmp_path / "to").read_bytes() == bytes(range(size))


def test_assembling_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "to").write_bytes(b"old")

    def parts():  # type: ignore[no-untyped-def]
        yield b"new"
        raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        assemble(tmp_path / "to", parts())
    assert [f.name for f in tmp_path.iterdir()] == ["to"]
    assert (tmp_path / "to").read_bytes() == b"old"


def test_a_run_arrives_without_checkpoints_and_with_the_places_of_here(present: Store, tmp_path: Path) -> None:
    packed = pack(result(), present, lambda piece: piece)
    assert len(packed.files["model.safetensors"]) == 3
    here = Store(tmp_path / "here", "e")
    assert deliver(packed, here, lambda piece: piece, write_run_file=run_file)
    folder = here.run_folder("r")
    counted = "test-evaluations.jsonl"
    names = {"history.jsonl", "model.safetensors", "run.yaml", "result.json", counted}
    assert {f.name for f in folder.iterdir()} == names
    assert (folder / "model.safetensors").read_bytes() == bytes(range(9))
    assert (folder / "run.yaml").read_text() == "here"
    assert here.read("r") == replace(result(), test_evaluations=1)
    assert [r.run_id for r in here.results()] == ["r"]


def test_an_error_says_where_its_traceback_is_here(present: Store, tmp_path: Path) -> None:
    (present.run_folder("r") / "traceback.txt").write_text("Traceback")
    failed = replace(
        result(status="failed"), error=f"x. The whole traceback: {present.run_folder('r') / 'traceback.txt'}"
    )
    here = Store(tmp_path / "here", "e")
    deliver(pack(failed, present, lambda piece: piece), here, lambda piece: piece, write_run_file=run_file)
    error = str(next(iter(here.results())).error)
    assert error == f"x. The whole traceback: {here.run_folder('r') / 'traceback.txt'}"
    assert Path(error.partition(": ")[2]).read_text() == "Traceback"


def test_a_result_that_is_there_stays(present: Store, tmp_path: Path) -> None:
    here = Store(tmp_path / "here", "e")
    here.write(result(status="failed"))
    assert not deliver(pack(result(), present, lambda p: p), here, lambda p: p, write_run_file=run_file)
    assert [f.name for f in here.run_folder("r").iterdir()] == ["result.json"]
    assert here.read("r") == result(status="failed")


@pytest.mark.parametrize(("status", "left"), [("finished", False), ("pruned", False), ("failed", True)])
def test_a_checkpoint_of_here_goes_when_the_run_is_over(
    present: Store, tmp_path: Path, status: str, left: bool
) -> None:
    here = Store(tmp_path / "here", "e")
    here.run_folder("r").mkdir(parents=True)
    (here.run_folder("r") / "checkpoint.pt").write_bytes(b"begun here")
    assert deliver(pack(result(status=status), present, lambda p: p), here, lambda p: p, write_run_file=run_file)
    assert (here.run_folder("r") / "checkpoint.pt").exists() == left


def test_a_delivery_that_is_cut_off_leaves_no_result_and_can_be_made_again(present: Store, tmp_path: Path) -> None:
    packed, here = pack(result(), present, lambda piece: piece), Store(tmp_path / "here", "e")
    left = 2

    def lost_after_two(piece: bytes) -> bytes:
        nonlocal left
        if left == 0:
            raise ConnectionError
        left -= 1
        return piece

    with pytest.raises(ConnectionError):
        deliver(packed, here, lost_after_two, write_run_file=run_file)
    assert here.read("r") is None
    assert not here.run_folder("r").exists()
    assert deliver(packed, here, lambda piece: piece, write_run_file=run_file)
    assert here.read("r") == replace(result(), test_evaluations=1)


def test_names_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    bad = ArtifactBundle(result(), {"../../other": [b"x"]})
    with pytest.raises(ValueError, match="plain names"):
        deliver(bad, Store(tmp_path, "e"), lambda piece: piece, write_run_file=run_file)
    assert not list(tmp_path.rglob("other"))
