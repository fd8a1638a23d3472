"""Runs on an existing Ray cluster: workers that stay, runs that are given again when a node dies.

    connect → a worker per place → hello → prepare (plug-ins, dataset) → run after run

Places are counted again all the time, so that a node that joins is used and a worker that died is replaced. A run that
was lost with its node begins anew on another. What a worker says, asks and hands over goes to the :class:`Desk`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import vsebench
from vsebench.core.errors import ClusterError, VsebenchError
from vsebench.core.sizes import duration_in_words
from vsebench.sweeps.plan import Run
from vsebench.sweeps.ray.artifacts import pieces
from vsebench.sweeps.ray.bus import MessageBus
from vsebench.sweeps.ray.cluster import Resources, refuse_if_none, slots
from vsebench.sweeps.ray.node import Job, Worker
from vsebench.sweeps.ray.scheduler import Scheduler, Task
from vsebench.sweeps.worker import Event, Settings, plugins_of

#: So often in a row may a worker die before its first run before the sweep ends.
MAX_FALSE_STARTS = 5
#: How long the sweep waits for a node when none is left that can hold a run.
NODE_WAIT_S = 60.0
#: How long one look at the workers takes, and how often places are counted.
POLL_S, COUNT_S = 0.1, 1.0


@dataclass(eq=False)
class WorkerSlot:
    """A worker, what it is doing and since when, the reference to what comes of it, and why it was ended."""

    number: int
    actor: Any
    reference: Any
    stage: Literal["hello", "prepare", "receive", "idle", "work"] = "hello"
    node: str = "a node that did not answer"
    task: Task | None = None
    since: float = 0.0
    cause: str = ""

    @property
    def late(self) -> bool:
        """Whether its run has taken longer than it may."""
        limit = None if self.task is None else self.task.run.system.train.time_limit
        return limit is not None and time.monotonic() - self.since > limit


class RayPool:
    """Workers on the cluster that this process is connected to. They stay from one call to the next.

    Args:
        resources: of each run.
        limit: largest number of runs at a time; None for as many as fit.

    Raises: ClusterError when no node has the resources.
    """

    def __init__(self, resources: Resources, limit: int | None = None) -> None:
        refuse_if_none(resources)
        self.resources, self.limit = resources, limit
        self.worker_slots: list[WorkerSlot] = []
        self._bus: Any = None
        self._job: Job | None = None
        self._dataset: list[Any] | None = None
        self._false_starts = 0
        self._slots, self._counted, self._alive = 0, float("-inf"), 0.0

    @property
    def places(self) -> int:
        """How many runs are done at a time when all nodes are free."""
        fitting = slots(self.resources)
        return fitting if self.limit is None else min(fitting, self.limit)

    def __enter__(self) -> RayPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, runs: Sequence[Run], settings: Settings, on_event: Callable[[Event], None]) -> None:
        """Do all runs of an experiment; an :data:`vsebench.sweeps.worker.Execute`.

        Raises: ClusterError when nodes cannot do the runs, or the cluster is gone; KeyboardInterrupt.
        """
        if not runs:
            return
        from ray.exceptions import RayError

        scheduler = Scheduler(runs, settings, on_event)
        try:
            self._begin(scheduler, runs)
            while scheduler.open:
                self._fill(scheduler)
                self._assign(scheduler)
                self._end_late()
                self._collect(scheduler)
                self._hear(scheduler)
        except (RayError, ConnectionError) as error:
            self.close()
            raise ClusterError(
                f"the cluster is gone: {_line(error, 0)} Finished runs are kept; run the same command to resume."
            ) from None
        except BaseException:
            self.close()  # workers that are not ended go on with what is no longer wanted
            raise
        finally:
            scheduler.close()

    def close(self) -> None:
        """End the workers, and with them the runs that are going on."""
        import ray

        with contextlib.suppress(Exception):
            idle = [slot.actor for slot in self.worker_slots if slot.stage == "idle"]
            ray.get([actor.close.remote() for actor in idle], timeout=10)
        for actor in [*(slot.actor for slot in self.worker_slots), *([self._bus] if self._bus is not None else [])]:
            with contextlib.suppress(Exception):
                ray.kill(actor)
        self.worker_slots, self._bus, self._dataset = [], None, None

    def _begin(self, scheduler: Scheduler, runs: Sequence[Run]) -> None:
        plugins = plugins_of(runs, scheduler.settings)
        job = Job(
            dataset_path=scheduler.dataset.path,
            fingerprint=scheduler.dataset.fingerprint,
            plugins=tuple((path, path.read_text(encoding="utf-8")) for path in plugins),
            device=scheduler.settings.device,
            threads=scheduler.settings.threads,
            cache=scheduler.settings.cache,
            gpus=self.resources.gpus,
        )
        if self.worker_slots and job != self._job:
            self.close()  # its workers have other plug-ins or data
        self._job = job
        if self._bus is None:
            self._bus = _start_bus()
        self._alive = time.monotonic()

    def _fill(self, scheduler: Scheduler) -> None:
        """Start workers for the places that are free, and no more than there are runs."""
        import ray

        now = time.monotonic()
        if now - self._counted >= COUNT_S:
            self._slots, self._counted = self.places, now
        if self._slots:
            self._alive = now
        elif now - self._alive > NODE_WAIT_S:
            refuse_if_none(self.resources)
        while len(self.worker_slots) < min(self._slots, scheduler.open):
            taken = {slot.number for slot in self.worker_slots}
            number = next(n for n in range(len(self.worker_slots) + 1) if n not in taken)
            options = {
                "num_cpus": self.resources.cpus,
                "num_gpus": self.resources.gpus,
                "scheduling_strategy": "SPREAD",
                "max_restarts": 0,
            }
            remote: Any = ray.remote(Worker)
            actor = remote.options(**options).remote(self._bus)
            self.worker_slots.append(WorkerSlot(number, actor, actor.hello.remote()))

    def _assign(self, scheduler: Scheduler) -> None:
        for slot in self.worker_slots:
            if slot.stage == "idle" and (task := scheduler.claim(slot.number)) is not None:
                slot.stage, slot.task, slot.since = "work", task, time.monotonic()
                slot.reference = slot.actor.work.remote(task.run, task.assignment)

    def _end_late(self) -> None:
        """End the workers whose runs take longer than ``train.time_limit``."""
        import ray

        for slot in self.worker_slots:
            if slot.late and not slot.cause and slot.task is not None:
                limit = duration_in_words(slot.task.run.system.train.time_limit or 0.0)
                slot.cause = f"it took longer than train.time_limit ({limit}) and was ended"
                ray.kill(slot.actor)

    def _collect(self, scheduler: Scheduler) -> None:
        """Take what workers have come to, or learn that they died."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        busy = {slot.reference: slot for slot in self.worker_slots if slot.stage != "idle"}
        if not busy:
            time.sleep(POLL_S)
            return
        ready, _ = ray.wait(list(busy), num_returns=len(busy), timeout=POLL_S)
        for reference in ready:
            slot = busy[reference]
            try:
                self._step(scheduler, slot, ray.get(reference))
            except RayTaskError as error:
                self._fault(scheduler, slot, error)
            except RayError as error:
                self._lost(scheduler, slot, error)

    def _step(self, scheduler: Scheduler, slot: WorkerSlot, value: Any) -> None:
        """Take a worker's completed step and assign the next."""
        import ray

        if slot.stage == "hello":
            version, slot.node = value
            if version != vsebench.__version__:
                raise ClusterError(
                    f"{slot.node} has vsebench {version}, this machine {vsebench.__version__}. Install the same "
                    "version on every node."
                )
            slot.stage, slot.reference = "prepare", slot.actor.prepare.remote(self._job)
        elif slot.stage == "prepare" and not value:
            if self._dataset is None:
                self._dataset = [ray.put(piece) for piece in pieces(scheduler.dataset.path)]
            slot.stage, slot.reference = "receive", slot.actor.receive.remote(self._dataset)
        else:
            if slot.task is not None:
                self._hear(scheduler)  # all that was said of the run, before its end
                scheduler.take(slot.task, value, ray.get)
                slot.task = None
            slot.stage, self._false_starts = "idle", 0

    def _fault(self, scheduler: Scheduler, slot: WorkerSlot, error: Any) -> None:
        """Handle an error of a worker that is still alive."""
        cause = error.cause if isinstance(error.cause, Exception) else error
        if slot.task is not None:
            scheduler.fail(slot.task, str(cause) if isinstance(cause, VsebenchError) else str(error))
            slot.task, slot.stage = None, "idle"
        elif isinstance(cause, VsebenchError):
            raise ClusterError(f"{slot.node}: {cause}")
        else:
            raise ClusterError(
                f"{slot.node} cannot start a worker: {_line(cause, -1)} Every node needs vsebench "
                f"{vsebench.__version__}, as on this machine."
            )

    def _lost(self, scheduler: Scheduler, slot: WorkerSlot, error: Exception) -> None:
        """Handle a worker that died: with its node, or killed, for example for lack of memory."""
        import ray

        with contextlib.suppress(Exception):
            ray.kill(slot.actor)
        self.worker_slots.remove(slot)
        self._counted = float("-inf")
        if slot.task is not None:
            self._hear(scheduler)
            scheduler.lose(slot.task, slot.node, slot.cause)
            return
        self._false_starts += 1
        if self._false_starts >= MAX_FALSE_STARTS:
            raise ClusterError(f"workers die before their first run, the last one on {slot.node}: {_line(error, 0)}")

    def _hear(self, scheduler: Scheduler) -> None:
        """Take what workers said."""
        import ray

        for message in ray.get(self._bus.take.remote()):
            scheduler.note(message, self._bus.answer.remote)


def _start_bus() -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(MessageBus).options(num_cpus=0, scheduling_strategy=here).remote()


def _line(error: Exception, number: int) -> str:
    """Format an error in one line; its type where it has no message."""
    lines = str(error).strip().splitlines()
    return lines[number] if lines else type(error).__name__
