"""A connection to an existing Ray cluster, and how many runs its nodes can hold at a time."""

from __future__ import annotations

import math
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vsebench.core.errors import ClusterError

#: How long the address of a cluster may take to answer.
REACH_S = 10.0


@dataclass(frozen=True)
class Resources:
    """What a run is given of its node.

    Args:
        cpus: cores; may be a part of one.
        gpus: GPUs; may be a part of one, which its runs then share.
    """

    cpus: float
    gpus: float

    @property
    def text(self) -> str:
        """As in ``2 CPUs and 1 GPU``."""
        parts = [f"{n:g} {name}{'' if n == 1 else 's'}" for n, name in ((self.cpus, "CPU"), (self.gpus, "GPU"))]
        return " and ".join(parts)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a cluster. A connection that this process has already is used and kept.

    Args:
        address: ``auto`` (the cluster of this machine, or ``$RAY_ADDRESS``), or ``host:port`` of its head.

    Raises: ClusterError when Ray is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise ClusterError("--executor ray needs Ray. Install it: pip install 'vsebench[ray]'.") from None
    if ray.is_initialized():
        yield
        return
    _connect(ray, address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    if address == "local":
        raise ClusterError("--address local would be a cluster of its own; --executor local uses this machine.")
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    if address != "auto":
        _reach(address)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (Exception, SystemExit) as error:  # Ray leaves the process when what listens there is no cluster.
        message = (
            str(error).strip().split("\n")[0] if isinstance(error, Exception) else "what listens there is no cluster."
        )
        raise ClusterError(
            f"cannot connect to a Ray cluster at '{address}': {message} Start one ('ray start --head', and "
            "'ray start --address HOST:PORT' on further nodes), or give --address HOST:PORT of its head."
        ) from None


def _reach(address: str) -> None:
    """Ray itself would wait for minutes, and then end the process."""
    if address.startswith("ray://"):
        raise ClusterError(
            f"--address {address} would go through Ray Client, which a sweep does not use. Start the sweep on a node "
            "of the cluster, with --address auto or HOST:PORT."
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ClusterError(f"--address '{address}' must be 'auto' or HOST:PORT.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at '{address}' ({error}). Is it running, and is the port that of its head "
            "('ray start --head' prints it)?"
        ) from None


def resources_of(cpus: float | None, gpus: float | None, *, threads: int, device: str) -> Resources:
    """Return the resources of a run: by default a core for each of its threads, and a GPU where the cluster has some.

    Raises: ClusterError when it would be nothing, or no GPU for a run that is to use one, or what Ray cannot count.
    """
    if gpus is None:
        wanted = device != "cpu" and any(node.get("GPU", 0) >= 1 for node in _nodes().values())
        gpus = 1.0 if wanted or device.startswith("cuda") else 0.0
    cpus, gpus = float(threads if cpus is None else cpus), float(gpus)
    if cpus <= 0 and gpus <= 0:
        raise ClusterError("--cpus-per-run and --gpus-per-run are both 0: a node would have no bound on its runs.")
    for option, amount in (("--cpus-per-run", cpus), ("--gpus-per-run", gpus)):
        if amount > 1 and not amount.is_integer():
            raise ClusterError(f"{option} must be a whole number, or a part of one. Got {amount:g}.")
    if device.startswith("cuda") and gpus <= 0:
        raise ClusterError(f"--device {device} needs --gpus-per-run above 0.")
    return Resources(cpus, gpus)


def slots(resources: Resources) -> int:
    """Return how many runs the living nodes can hold at a time, whatever else they do now."""
    return sum(_fits(node, resources) for node in _nodes().values())


def refuse_if_none(resources: Resources) -> None:
    """Refuse resources that no node has.

    Raises: ClusterError with what the nodes have.
    """
    if slots(resources) == 0:
        have = [Resources(node.get("CPU", 0), node.get("GPU", 0)).text for node in _nodes().values()]
        raise ClusterError(
            f"no node of the cluster has {resources.text} for a run; the nodes have: {'; '.join(have) or 'nothing'}. "
            "Lower --cpus-per-run or --gpus-per-run."
        )


def _fits(node: dict[str, float], resources: Resources) -> int:
    requested = [("CPU", resources.cpus), ("GPU", resources.gpus)]
    return min(math.floor(node.get(name, 0) / amount + 1e-9) for name, amount in requested if amount > 0)


def _nodes() -> dict[str, dict[str, float]]:
    import ray

    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
