"""What happens on a node of a cluster: a worker that is started once and does one run after the other.

A node need not see the driver's files. The dataset is used where it lies if a file with the same path and fingerprint
is there, and otherwise kept in this node's vsebench home once it was sent; runs are done in a scratch folder and handed
over as parcels. vsebench itself must be installed.
"""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

import vsebench
from vsebench.config.code_files import code_digest
from vsebench.core.digests import digest
from vsebench.core.errors import ClusterError, DataError
from vsebench.core.home import scratch_home, shipped_home
from vsebench.core.plugins import load_plugins
from vsebench.runs.store import Store
from vsebench.sweeps.plan import Run, id_here
from vsebench.sweeps.ray.artifacts import ArtifactBundle, assemble, pack
from vsebench.sweeps.ray.bus import Message
from vsebench.sweeps.worker import choose_device, prepare

if TYPE_CHECKING:
    from vsebench.core.types import Result
    from vsebench.data.dataset import Dataset


@dataclass(frozen=True)
class Job:
    """What a worker is told before its first run. Plain data.

    Args:
        dataset_path: where the dataset lies on the driver's machine.
        fingerprint: of the dataset.
        plugins: path on the driver's machine and content of each file.
        device: ``auto``, ``cpu``, ``cuda``.
        threads: of each run.
        cache: keep frozen features on disk.
        gpus: that a run is given.
    """

    dataset_path: Path
    fingerprint: str
    plugins: tuple[tuple[Path, str], ...]
    device: str
    threads: int
    cache: bool
    gpus: float


class Worker:
    """An actor.

    Args:
        bus: handle of the :class:`vsebench.sweeps.ray.bus.Hub`.
    """

    def __init__(self, bus: Any) -> None:
        self.bus = bus
        self.scratch, self._lock = open_scratch()

    def hello(self) -> tuple[str, str]:
        """Return the version of vsebench here, and the node's name."""
        return vsebench.__version__, socket.gethostname()

    def prepare(self, job: Job) -> bool:
        """Load plug-ins and open the dataset.

        Returns: whether the dataset is here; otherwise it is to be sent.

        Raises: ClusterError when a GPU was given that PyTorch does not see; PluginError.
        """
        if job.gpus <= 0:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the node's GPUs belong to others
        prepare(job.threads)
        self.job = job
        self.device = _device(job)
        load_plugins([place_plugin(path, source) for path, source in job.plugins])
        result = dataset_here(job.dataset_path, job.fingerprint)
        if result is not None:
            self.dataset = result
        return result is not None

    def receive(self, parts: list[Any]) -> None:
        """Take the dataset, in pieces, for this node."""
        import ray

        self.dataset = keep_dataset(self.job.fingerprint, (ray.get(part) for part in parts))

    def work(self, run: Run, assignment: int) -> ArtifactBundle:
        """Do a run.

        Raises: ClusterError when it would be another run here.
        """
        import ray

        from vsebench.sweeps.run_one import execute

        refuse_another(run, self.dataset.fingerprint)
        store = Store(self.scratch, run.experiment)
        tell: Callable[[Message], Any] = self.bus.tell.remote

        def decide(epoch: int, value: float | None) -> bool:
            promoted: bool = ray.get(self.bus.ask.remote(Message(assignment, "rung", epoch=epoch, value=value)))
            return promoted

        result = execute(
            run,
            self.dataset,
            store,
            device=self.device,
            tracker=lambda _: ToldTracker(assignment, tell),
            say=lambda text: tell(Message(assignment, "progress", text)),
            cache=self.job.cache,
            decide=decide,
        )
        bundle = pack(result, store, ray.put)
        store.remove(run.run_id)
        if self.device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
        ray.get(tell(Message(assignment, "over")))  # everything before it has come, too
        return bundle

    def close(self) -> None:
        """Leave nothing behind."""
        close_scratch(self.scratch, self._lock)


class ToldTracker:
    """A tracker whose numbers go to the driver, where the run's tracker is."""

    def __init__(self, assignment: int, tell: Callable[[Message], Any]) -> None:
        self.assignment = assignment
        self.tell = tell
        tell(Message(assignment, "track"))

    def log(self, numbers: Mapping[str, float]) -> None:
        """Pass an epoch's numbers on."""
        self.tell(Message(self.assignment, "log", numbers=dict(numbers)))

    def finish(self, result: Result | None) -> None:
        """Do nothing: the driver has the result, with the run's files, when they have come."""


def open_scratch() -> tuple[Path, FileLock]:
    """Create a folder of this process, and its lock. Folders of killed processes are removed."""
    root = scratch_home()
    root.mkdir(parents=True, exist_ok=True)
    for left in [child for child in root.iterdir() if child.is_dir()]:
        lock = FileLock(f"{left}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        close_scratch(left, lock)
    folder = root / uuid.uuid4().hex
    lock = FileLock(f"{folder}.lock")
    lock.acquire()
    folder.mkdir()
    return folder, lock


def close_scratch(folder: Path, lock: FileLock) -> None:
    """Remove a folder and its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def dataset_here(path: Path, fingerprint: str) -> Dataset | None:
    """Find the dataset at the driver's path, or where an earlier sweep left it."""
    from vsebench.data.open import find_dataset

    return find_dataset((path, _shipped_dataset(fingerprint)), fingerprint)


def keep_dataset(fingerprint: str, parts: Iterable[bytes]) -> Dataset:
    """Keep a dataset that was sent. Of several workers on a node, one writes it.

    Raises: DataError when what was sent is another dataset.
    """
    from vsebench.data.dataset import Dataset

    file = _shipped_dataset(fingerprint)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        result = dataset_here(file, fingerprint)
        if result is not None:
            return result
        assemble(file, parts)
    dataset = Dataset.open(file)
    if dataset.fingerprint != fingerprint:
        raise DataError(f"the driver sent dataset {dataset.fingerprint}; the runs are of {fingerprint}.")
    return dataset


def _shipped_dataset(fingerprint: str) -> Path:
    return shipped_home() / f"{digest(fingerprint)}.h5"


def place_plugin(path: Path, source: str) -> Path:
    """Find the plug-in at the driver's path, if its content is the same; otherwise write a copy of this node's own."""
    try:
        if path.read_text(encoding="utf-8") == source:
            return path
    except (OSError, UnicodeDecodeError):
        pass
    copy = shipped_home() / digest(source) / path.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    assemble(copy, [source.encode()])
    return copy


def refuse_another(run: Run, fingerprint: str) -> None:
    """Refuse a run whose code or local files are others here, and whose numbers may be.

    Raises: ClusterError with the files that its options name.
    """
    if id_here(run, fingerprint) == run.run_id and run.code in ("", code_digest(run.system)):
        return
    named = [
        str(value)
        for _, spec in run.system.components()
        for option in ("weights", "vectors", "model")
        if isinstance(value := spec.options.get(option), str) and os.sep in value
    ]
    files = f"the files that its options name ({', '.join(named)}), " if named else ""
    raise ClusterError(
        f"on node {socket.gethostname()} this would be another run: {files}vsebench's code or a plug-in differs there. "
        f"Every node needs the same vsebench {vsebench.__version__} and the same files at the same paths."
    )


def _device(job: Job) -> Any:
    import torch

    if job.gpus > 0 and job.device != "cpu":
        if not torch.cuda.is_available():
            raise ClusterError(
                f"node {socket.gethostname()} gives runs a GPU, but PyTorch sees none there. Install PyTorch with "
                "CUDA on it, or give --device cpu."
            )
        return torch.device("cuda", 0)
    return choose_device(job.device, 0)
