"""Who does a sweep's runs: ``--executor`` and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.terminal import say
from vsebench.sweeps.worker import Execute

EXECUTORS = ("local", "ray")


@dataclass(frozen=True)
class ExecutorOptions:
    """The command's arguments about who does the runs.

    Args:
        name: ``local`` or ``ray``.
        workers: runs at a time; None for as many as there is room for.
        threads: of each run, or of each of its processes.
        processes: that do one run together.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        address: of the Ray cluster.
        cpus_per_run, gpus_per_run: what a run is given on the cluster; None for the default.
    """

    name: str = "local"
    workers: int | None = None
    threads: int = 1
    processes: int = 1
    device: str = "auto"
    address: str | None = None
    cpus_per_run: float | None = None
    gpus_per_run: float | None = None

    def check(self) -> None:
        """Refuse an unknown name, and what only the other executor has.

        Raises: ConfigError.
        """
        if self.name not in EXECUTORS:
            said = did_you_mean(self.name, EXECUTORS) + known_names(EXECUTORS)
            raise ConfigError(f"--executor '{self.name}' is unknown." + said)
        given = {
            "--address": self.address,
            "--cpus-per-run": self.cpus_per_run,
            "--gpus-per-run": self.gpus_per_run,
        }
        for option, value in given.items():
            if self.name == "local" and value is not None:
                raise ConfigError(f"{option} belongs to --executor ray; --executor local has no use for it.")
        if self.name == "ray" and self.device.startswith("cuda:"):
            raise ConfigError(f"--device {self.device}: on a cluster Ray chooses the GPU of a run. Give --device cuda.")
        if self.processes > 1:
            if self.name == "ray":
                raise ConfigError("--processes-per-run belongs to --executor local; Ray gives a run one process.")
            from vsebench.sweeps.launcher import check

            check(self.processes, self.device)


@contextmanager
def executor(options: ExecutorOptions) -> Iterator[tuple[int | None, Execute | None]]:
    """How many runs are done at a time, and what does them: None for processes of this machine, as many as suit it.

    The cluster is connected to for as long as it is in use.

    Raises: ClusterError when the cluster cannot be reached or cannot hold a run.
    """
    if options.name == "local":
        yield options.workers, None
        return
    from vsebench.sweeps.ray.cluster import connected, resources_of
    from vsebench.sweeps.ray.pool import RayPool

    with connected(options.address or "auto"):
        resources = resources_of(
            options.cpus_per_run, options.gpus_per_run, threads=options.threads, device=options.device
        )
        with RayPool(resources, options.workers) as pool:
            places = pool.places
            say(f"Ray cluster: {places} run{'s'[: places > 1]} at a time, each with {resources.text}.")
            yield places, pool
