"""Runs on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from annotated_types import Ge

from vsebench.core.errors import ConfigError
from vsebench.core.registry import EXECUTORS
from vsebench.core.terminal import say
from vsebench.sweeps.executors.base import Executor, Work
from vsebench.sweeps.worker import Execute


@EXECUTORS.register("ray", source="Moritz et al. 2018, arXiv:1712.05889")
class Ray(Executor):
    """Do the runs on a Ray cluster that is running already, a run at a time in each place.

    Args:
        work: how many at a time, and with what (wired).
        address: of the cluster: ``auto`` or ``HOST:PORT``.
        cpus_per_run: of a run; one per thread by default.
        gpus_per_run: of a run; one by default where the cluster has GPUs.

    Example:
        >>> from vsebench.sweeps.executors.base import Work
        >>> Ray(Work(processes=2)).check()
        Traceback (most recent call last):
        ...
        vsebench.core.errors.ConfigError: --processes-per-run belongs to --executor local; Ray gives a run one process.
    """

    def __init__(
        self,
        work: Work,
        *,
        address: str = "auto",
        cpus_per_run: Annotated[float, Ge(0)] | None = None,
        gpus_per_run: Annotated[float, Ge(0)] | None = None,
    ) -> None:
        super().__init__(work)
        self.address, self.cpus_per_run, self.gpus_per_run = address, cpus_per_run, gpus_per_run

    def check(self) -> None:
        """Refuse a device of a number, which Ray chooses, and several processes per run.

        Raises: ConfigError.
        """
        if self.work.device.startswith("cuda:"):
            raise ConfigError(
                f"--device {self.work.device}: on a cluster Ray chooses the GPU of a run. Give --device cuda."
            )
        if self.work.processes > 1:
            raise ConfigError("--processes-per-run belongs to --executor local; Ray gives a run one process.")

    @contextmanager
    def started(self) -> Iterator[tuple[int | None, Execute | None]]:
        """Connect to the cluster for as long as it is in use.

        Raises: ClusterError when the cluster cannot be reached or cannot hold a run.
        """
        from vsebench.sweeps.ray.cluster import connected, resources_of
        from vsebench.sweeps.ray.pool import RayPool

        with connected(self.address):
            wanted = {"threads": self.work.threads, "device": self.work.device}
            resources = resources_of(self.cpus_per_run, self.gpus_per_run, **wanted)  # type: ignore[arg-type]
            with RayPool(resources, self.work.workers) as pool:
                places = pool.places
                say(f"Ray cluster: {places} run{'s'[: places > 1]} at a time, each with {resources.text}.")
                yield places, pool
