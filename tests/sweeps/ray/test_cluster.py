"""Which resources fit where, and what is said of a cluster that does not answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from vsebench.core.errors import ClusterError
from vsebench.sweeps.ray import cluster
from vsebench.sweeps.ray.cluster import Resources, connected, refuse_if_none, resources_of, slots

Nodes = dict[str, dict[str, float]]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """Nodes of a cluster that is only thought of."""
    present: Nodes = {"a": {"CPU": 8.0, "GPU": 2.0}, "b": {"CPU": 3.0}}
    monkeypatch.setattr(cluster, "_nodes", lambda: present)
    return present


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [(1, 0, 11), (2, 0, 5), (0.1, 0, 110), (1, 1, 2), (5, 1, 1), (0, 0.5, 4), (9, 0, 0), (1, 3, 0)],
)
def test_slots(nodes: Nodes, cpus: float, gpus: float, expected: int) -> None:
    assert slots(Resources(cpus, gpus)) == expected


def test_default_resources(nodes: Nodes) -> None:
    assert resources_of(None, None, threads=2, device="auto") == Resources(2, 1)
    assert resources_of(None, None, threads=1, device="cpu") == Resources(1, 0)
    assert resources_of(0.5, 0.25, threads=1, device="cuda") == Resources(0.5, 0.25)
    del nodes["a"]
    assert resources_of(None, None, threads=1, device="auto") == Resources(1, 0)
    assert resources_of(None, None, threads=1, device="cuda") == Resources(1, 1)


def test_refused_resources(nodes: Nodes) -> None:
    with pytest.raises(ClusterError, match="both 0"):
        resources_of(0, 0, threads=1, device="cpu")
    with pytest.raises(ClusterError, match="--device cuda needs --gpus-per-run above 0"):
        resources_of(1, 0, threads=1, device="cuda")
    with pytest.raises(ClusterError, match=r"--gpus-per-run must be a whole number, or a part of one\. Got 1\.5"):
        resources_of(1, 1.5, threads=1, device="cuda")
    with pytest.raises(ClusterError, match=r"--cpus-per-run must be a whole number, or a part of one\. Got 2\.5"):
        resources_of(2.5, 0, threads=1, device="cpu")
    with pytest.raises(ClusterError, match="has 9 CPUs and 1 GPU for a run; the nodes have: 8 CPUs and 2 GPUs; 3 CPUs"):
        refuse_if_none(Resources(9, 1))
    refuse_if_none(Resources(8, 2))


def test_address_where_nothing_listens() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, but it does not listen
        port = held.getsockname()[1]
        begin = time.monotonic()
        with (
            pytest.raises(ClusterError, match=f"no Ray cluster answers at '127.0.0.1:{port}'"),
            connected(f"127.0.0.1:{port}"),
        ):
            pass
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("here", "'here' must be 'auto' or HOST:PORT"),
        ("localhost:99999", "no Ray cluster answers"),
        ("ray://localhost:10001", "Start the sweep on a node of the cluster"),
        ("local", "--executor local uses this machine"),
    ],
)
def test_address_that_cannot_be(address: str, text: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(ClusterError, match=text), connected(address):
        pass


def test_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("RAY_ADDRESS", "nowhere.invalid:6379")
    with pytest.raises(ClusterError, match=r"at 'nowhere\.invalid:6379'"), connected("auto"):
        pass


def test_without_ray() -> None:
    code = (
        "import sys\nsys.modules['ray'] = None\nfrom vsebench.core.errors import ClusterError\n"
        "from vsebench.sweeps.ray.cluster import connected\n"
        "try:\n    connected('auto').__enter__()\nexcept ClusterError as error:\n    print(error)"
    )
    message = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert message == "--executor ray needs Ray. Install it: pip install 'vsebench[ray]'.\n"
