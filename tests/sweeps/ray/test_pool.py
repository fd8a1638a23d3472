"""The same runs on a Ray cluster of two nodes on this machine: the same results, each once, also when a node dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from vsebench.config.experiment import load_experiment
from vsebench.core.errors import ClusterError
from vsebench.core.types import Result
from vsebench.data.dataset import Dataset
from vsebench.runs.store import MODEL, Store
from vsebench.runs.wandb_options import Wandb
from vsebench.sweeps.local import run_all
from vsebench.sweeps.plan import Run, make_plan
from vsebench.sweeps.ray import pool as on_ray
from vsebench.sweeps.ray.cluster import Resources, connected
from vsebench.sweeps.ray.pool import RayPool, WorkerSlot
from vsebench.sweeps.worker import Event, Settings

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'vsebench[ray]'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.own_process,
    pytest.mark.timeout(300),
    # Ray leaves sockets and log files open when processes are killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CPU = Resources(1, 0)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The head: a node with one CPU, which lives as long as the tests."""
    from ray.cluster_utils import Cluster

    present = Cluster()
    # A node that has died is noticed after two seconds instead of ten.
    checks = {"health_check_initial_delay_ms": 100, "health_check_period_ms": 100, "health_check_failure_threshold": 20}
    add(present, tmp_path_factory.mktemp("node"), include_dashboard=False, _system_config=checks)
    yield present
    present.shutdown()


def add(cluster: Any, home: Path, **options: Any) -> Any:
    """A node with a vsebench home of its own."""
    variables = {"VSEBENCH_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return cluster.add_node(num_cpus=1, num_gpus=0, env_vars=variables, **options)


@pytest.fixture(scope="module")
def second_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vsebench home of the second node."""
    return tmp_path_factory.mktemp("second")


@pytest.fixture
def node(cluster: Any, second_home: Path) -> Any:
    """The second node, for this test and those after it; a test may kill it, and add others."""
    for left in cluster.worker_nodes:
        return left
    return add(cluster, second_home)


@pytest.fixture
def runs(
    write_experiment: Callable[[Any], Path], feature_experiment: Any, tiny_file: Path, tmp_path: Path
) -> Callable[..., list[Run]]:
    """Makes the runs of the experiment on features, changed."""

    def make(**changes: Any) -> list[Run]:
        experiment = load_experiment(write_experiment({**feature_experiment, **changes}))
        dataset = Dataset.open(tiny_file).describe()
        return list(make_plan(experiment, dataset, Store(tmp_path / "none", experiment.name)).runs)

    return make


def locally(runs: list[Run], dataset: Path, folder: Path) -> dict[str, Result]:
    """What one process of this machine makes of them."""
    run_all(runs, Settings(folder, dataset, device="cpu"), workers=0, on_event=lambda _: None)
    return results(folder, runs)


def results(folder: Path, runs: list[Run]) -> dict[str, Result]:
    return {r.run_id: r for r in Store(folder, runs[0].experiment).results()}


def assert_equal(results: dict[str, Result], expected: dict[str, Result]) -> None:
    assert set(results) == set(expected)
    for run_id, result in expected.items():
        for name in ("status", "metrics", "metric_versions", "parameters", "epochs", "best_epoch", "config", "dataset"):
            assert getattr(results[run_id], name) == getattr(result, name), name


def run_all_on_ray(address: str, runs: list[Run], settings: Settings, on_event: Callable[[Event], None]) -> None:
    """Do all runs on the cluster at an address."""
    with connected(address), RayPool(CPU) as pool:
        pool(runs, settings, on_event)


def assert_same_files(one: Path, other: Path, runs: list[Run]) -> None:
    """But for places and times, the folders of the runs are the same."""
    for run in runs:
        folders = [Store(root, run.experiment).run_folder(run.run_id) for root in (one, other)]
        names = [sorted(f.name for f in folder.iterdir()) for folder in folders]
        assert names[0] == names[1]
        for name in set(names[0]) & {"history.jsonl", "run.yaml", MODEL, "vocabulary.json"}:
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_a_worker_that_always_dies_fails_its_run_alone(
    cluster: Any, runs: Callable[..., list[Run]], tiny_file: Path, tmp_path: Path
) -> None:
    plugin = tmp_path / "deadly.py"
    plugin.write_text(
        "import os\nimport vsebench as vb\n\nConcat = vb.FUSIONS.get('concat').target\n\n\n"
        '@vb.FUSIONS.register("deadly", source="none")\nclass Deadly(Concat):\n    """End the process."""\n\n'
        "    def forward(self, *given):\n        os._exit(9)\n"
    )
    row = {"system": "vse", "dim": 16, "image_encoder": "features", "text_encoder": "features"}
    bad, good = ({**row, "fusion": fusion} for fusion in ("deadly", "gated"))
    todo = runs(systems={"bad": bad, "good": good}, plugins=[str(plugin)])
    events: list[Event] = []
    run_all_on_ray(cluster.address, todo, Settings(tmp_path / "ray", tiny_file, device="cpu"), events.append)
    result = {r.system: r for r in results(tmp_path / "ray", todo).values()}
    assert result["good"].status == "finished"
    assert result["bad"].status == "failed"
    assert "its worker died 3 times" in str(result["bad"].error)
    assert [e.kind for e in events if e.run_id == result["bad"].run_id and e.kind != "progress"] == [
        *("start", "crash") * 2,
        *("start", "end"),
    ]


def test_early_stopping_and_curves_with_one_worker(
    cluster: Any, runs: Callable[..., list[Run]], feature_experiment: Any, tiny_file: Path, tmp_path: Path
) -> None:
    base = feature_experiment["systems"]["both"]
    grid = {"train.optimizer.lr": [5e-3, 1e-3, 1e-9, 1e-8]}
    prune = {"name": "asha", "min_epochs": 1, "reduction": 2}
    train = {"epochs": 4, "batch_size": 16, "optimizer": {"name": "adamw"}}
    select = {"metric": "val/nll", "mode": "min"}  # no ties
    todo = runs(systems={}, sweep={"base": base, "grid": grid, "prune": prune}, train=train, select=select)
    run_all_on_ray(
        cluster.address,
        todo,
        Settings(tmp_path / "ray", tiny_file, device="cpu", wandb=Wandb("offline", system=False)),
        lambda _: None,
    )
    expected = locally(todo, tiny_file, tmp_path / "local")
    assert {r.status for r in expected.values()} == {"finished", "pruned"}
    assert_equal(results(tmp_path / "ray", todo), expected)
    rungs = [next((tmp_path / name / "tiny" / ".rungs").glob("*.jsonl")).read_text() for name in ("ray", "local")]
    assert rungs[0] == rungs[1]
    assert len(list((tmp_path / "ray" / "tiny" / "wandb").glob("offline-run-*"))) == len(todo)


def test_what_a_node_cannot_do(
    cluster: Any, runs: Callable[..., list[Run]], tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, todo = Settings(tmp_path / "ray", tiny_file, device="cpu"), runs()
    with connected(cluster.address), pytest.raises(ClusterError, match="no node of the cluster has 64 CPUs and 0 GPUs"):
        RayPool(Resources(64, 0))
    monkeypatch.setattr(on_ray.vsebench, "__version__", "99.0")
    with pytest.raises(ClusterError, match=r"this machine 99\.0\. Install the same version on every node"):
        run_all_on_ray(cluster.address, todo, settings, lambda _: None)
    assert results(tmp_path / "ray", todo) == {}


@pytest.mark.parametrize("interrupt", [False, True], ids=["to the end", "interrupted"])
def test_the_command(
    cluster: Any, write_experiment: Callable[[Any], Path], feature_experiment: Any, tmp_path: Path, interrupt: bool
) -> None:
    if interrupt:
        feature_experiment["train"]["epochs"] = 50_000
    file = write_experiment(feature_experiment)
    command = [sys.executable, "-m", "vsebench", "sweep", str(file), "--executor", "ray", "--address", cluster.address]
    command += ["--device", "cpu", "--wandb", "disabled", "--runs", str(tmp_path / "r"), "--board", str(tmp_path / "b")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        # A test run that was started in the background ignores interrupts, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    if interrupt:
        locks = tmp_path / "r" / "tiny" / ".locks"
        while not list(locks.glob("*.lock")) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=120)[0]
    assert "Ray cluster: 1 run at a time, each with 1 CPU and 0 GPUs." in message
    assert "Traceback" not in message
    if interrupt:
        assert process.returncode == 130, message
        assert "Interrupted. Finished runs are kept" in message
        assert list(Store(tmp_path / "r", "tiny").results()) == []
    else:
        assert process.returncode == 0, message
        assert "[2/2] done both · seed 0" in message
        assert len(json.loads((tmp_path / "b" / "results" / "tiny.json").read_text())["results"]) == 2


def test_a_fault_without_words_is_told_by_its_type() -> None:
    pool = RayPool.__new__(RayPool)
    slot = WorkerSlot(0, None, None, "prepare", "node-b")
    with pytest.raises(ClusterError, match="node-b cannot start a worker: AssertionError Every node needs vsebench"):
        pool._fault(Mock(), slot, Mock(cause=AssertionError()))


# From here on there are two nodes, and in the end one of them dies.


def test_the_same_results_as_on_this_machine(
    cluster: Any, node: Any, runs: Callable[..., list[Run]], tiny_file: Path, tmp_path: Path
) -> None:
    todo = runs(seeds=[0, 1])
    events: list[Event] = []
    settings = Settings(tmp_path / "ray", tiny_file, device="cpu")
    run_all_on_ray(cluster.address, todo, settings, events.append)
    expected = locally(todo, tiny_file, tmp_path / "local")
    assert len(expected) == 4
    assert_equal(results(tmp_path / "ray", todo), expected)
    assert_same_files(tmp_path / "ray", tmp_path / "local", todo)
    kinds = Counter((e.kind, e.run_id) for e in events if e.kind != "progress")
    assert kinds == {(kind, run.run_id): 1 for run in todo for kind in ("start", "end")}
    assert len({e.worker for e in events}) == 2
    assert any(e.kind == "progress" and e.text.startswith("epoch 1/2") for e in events)
    again: list[Event] = []
    run_all_on_ray(cluster.address, todo, settings, again.append)
    assert again == []


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no path that each process sees differently")
def test_a_node_that_does_not_see_the_files(
    cluster: Any,
    node: Any,
    second_home: Path,
    runs: Callable[..., list[Run]],
    tiny_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("tiny.h5").write_bytes(tiny_file.read_bytes())
    unseen = Path("/proc/self/cwd/tiny.h5")  # another folder in every other process
    monkeypatch.setattr("vsebench.sweeps.ray.artifacts.pieces.__defaults__", (1000,))
    todo = runs()
    run_all_on_ray(cluster.address, todo, Settings(tmp_path / "ray", unseen, device="cpu"), lambda _: None)
    assert_equal(results(tmp_path / "ray", todo), locally(todo, tiny_file, tmp_path / "local"))
    shipped = list((second_home / "shipped").glob("*.h5"))
    assert [f.read_bytes() == tiny_file.read_bytes() for f in shipped] == [True]
    assert list((second_home / "scratch").iterdir()) == []


def test_workers_stay_from_one_call_to_the_next(
    cluster: Any, node: Any, runs: Callable[..., list[Run]], tiny_file: Path, tmp_path: Path
) -> None:
    settings = Settings(tmp_path / "ray", tiny_file, device="cpu")
    first, second = runs()
    with connected(cluster.address), RayPool(CPU, limit=1) as pool:
        assert pool.places == 1
        pool([first], settings, lambda _: None)
        (slot,) = pool.worker_slots
        pool([second], settings, lambda _: None)
        assert pool.worker_slots == [slot]
    assert set(results(tmp_path / "ray", [first])) == {first.run_id, second.run_id}


@pytest.mark.parametrize("joins", [False, True], ids=["one node is left", "another node joins"])
def test_a_node_dies_in_the_middle(
    cluster: Any,
    node: Any,
    joins: bool,
    runs: Callable[..., list[Run]],
    tiny_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    todo = runs(seeds=[0, 1], train={"epochs": 150, "batch_size": 16, "optimizer": {"name": "adamw", "lr": 2e-3}})
    events: list[Event] = []
    training: dict[int, int] = {}
    written: Counter[str] = Counter()
    write = Store.write

    def count(store: Store, result: Result) -> None:
        written[result.run_id] += 1
        write(store, result)

    def listen(event: Event) -> None:
        events.append(event)
        if event.kind == "end":
            del training[event.worker]
            # The driver gives out no run meanwhile, so that the new node starts before all are done.
            time.sleep(6.0 if others and event.worker in alone(events) else 0.0)
        if event.text.startswith("epoch "):
            training[event.worker] = int(event.text.removeprefix("epoch ").split("/")[0])
        middle = len(training) == 2 and max(training.values()) <= 110  # on each node a run, and much of it is left
        if middle and node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)
            if joins:
                others.append(add(cluster, tmp_path / "third"))

    def alone(events: list[Event]) -> set[int]:
        """Return the worker that is the only one since the crash, if it is."""
        crash = next((i for i, e in enumerate(events) if e.kind == "crash"), len(events))
        workers = {e.worker for e in events[crash + 1 :]}
        return workers if len(workers) == 1 else set()

    others: list[Any] = []
    monkeypatch.setattr(Store, "write", count)
    settings = Settings(tmp_path / "ray", tiny_file, device="cpu")
    run_all_on_ray(cluster.address, todo, settings, listen)
    assert node not in cluster.worker_nodes
    lost = [e.run_id for e in events if e.kind == "crash"]
    assert len(lost) == 1
    assert written == {run.run_id: 1 for run in todo}
    assert Counter(e.run_id for e in events if e.kind == "end") == written
    starts = Counter(e.run_id for e in events if e.kind == "start")
    assert starts == {run.run_id: 2 if run.run_id in lost else 1 for run in todo}
    later = events[next(i for i, e in enumerate(events) if e.kind == "crash") :]
    assert len({e.worker for e in later if e.kind == "end"}) == (2 if joins else 1)
    assert_equal(results(tmp_path / "ray", todo), locally(todo, tiny_file, tmp_path / "local"))
