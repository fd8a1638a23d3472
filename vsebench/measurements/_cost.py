"""What a finished run's model costs: parameters, operations, time and memory of an answer, energy of its training."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from vsebench.data.dataset import Dataset
from vsebench.engine.evaluate import autocast
from vsebench.engine.loader import to_device
from vsebench.engine.model import Model
from vsebench.measurements._flops import Flops, flops
from vsebench.measurements._items import COUNT, Items
from vsebench.measurements._memory import peak_bytes
from vsebench.measurements._queries import GALLERY, Search, embedding
from vsebench.measurements._timing import timed
from vsebench.ops.ranking import DIRECTIONS, Direction
from vsebench.runs.energy import read_energy
from vsebench.runs.load import LoadedRun
from vsebench.runs.provenance import processor_name

#: Items whose operations are averaged: texts and sounds differ in length.
COUNTED = 4
_PARTS = ("attention", "pooling", "projection", "fusion", "head", "scorer", "fitter")


def parameter_parts(model: Model) -> dict[str, dict[str, int]]:
    """Part -> ``total`` and ``trained`` parameters: ``encoders/<modality>`` and the components after them.

    A fitter's buffers count as its trained parameters, as in :meth:`Model.parameter_counts`.
    """
    results: dict[str, dict[str, int]] = {}

    def add(name: str, count: int, trained: bool) -> None:
        first, _, rest = name.partition(".")
        part = f"encoders/{rest.split('.')[0]}" if first == "encoders" else first.removeprefix("own_")
        part = part if part.startswith("encoders/") or part in _PARTS else "other"
        counts = results.setdefault(part, {"total": 0, "trained": 0})
        counts["total"] += count
        counts["trained"] += count * trained

    for name, parameter in model.named_parameters():
        add(name, parameter.numel(), parameter.requires_grad)
    if model.fitter is not None:
        for name, buffer in model.fitter.named_buffers(prefix="fitter"):
            add(name, buffer.numel(), True)
    return results


def cost_of(run: LoadedRun, dataset: Dataset) -> dict[str, Any]:
    """Measure a loaded run.

    A classifier answers an item: all its modalities to logits. A system without a head answers a query: one modality of
    an item to what it finds in a gallery (:class:`Search`). Times are milliseconds per item, from inputs in the host's
    memory; operations are means over four items.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    calls = Calls(run, dataset)
    counts = {name: _mean([flops(call) for call in made]) for name, made in calls.counted().items()}
    missed = sorted({name for count, names in counts.values() for name in names})
    device = run.device
    values: dict[str, Any] = {
        "answer": calls.answer,
        "inputs": calls.items.describe(),
        "precision": run.system.train.precision,
        "hardware": {
            "device": processor_name() if device.type == "cpu" else _accelerator(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__.split("+")[0],
            **({} if load is None else {"load": load}),
        },
        "parameters": {**run.model.parameter_counts(), "parts": parameter_parts(run.model)},
        "gflops": {name: count / 1e9 for name, (count, _) in counts.items()},
        "latency_ms": {name: timed(call, device, items=items) for name, (call, items) in calls.timed().items()},
        "memory_bytes": {"weights": sum(t.nbytes for t in (*run.model.parameters(), *run.model.buffers()))},
        **read_energy(run.folder, run.result.train_s),
    }
    peaks = {f"item@{size}": peak_bytes(calls.item(size), device) for size in (1, COUNT)}
    values["memory_bytes"] |= {name: peak for name, peak in peaks.items() if peak is not None}
    if missed:
        values["not_counted"] = missed
    if calls.search is not None:
        values["gallery"] = GALLERY
    return values


class Calls:
    """What is counted and timed of a run.

    Attributes:
        answer: ``item`` of a classifier; ``query`` of a system that only ranks images and texts.
    """

    def __init__(self, run: LoadedRun, dataset: Dataset) -> None:
        self.run, self.model = run, run.model
        self.items = Items(dataset, run.model)
        ranks = any(name.split("/")[1:2] in (["i2t"], ["t2i"]) for name in run.result.metrics)
        both = {"image", "text"} <= set(run.model.encoders)
        self.search = Search(run.model, self.items) if both and run.model.head is None else None
        self.answer = "item" if self.search is None else "query"
        self.embeds = ranks or run.model.head is None

    def item(self, size: int, first: int = 0) -> Callable[[], Any]:
        """Return a batch from its raw inputs to whatever the model says of it."""
        batch = self.items.batch(self.items.rows[first : first + size])

        def call() -> None:
            with torch.no_grad(), autocast(self.run.system.train.precision, self.run.device):
                self.model(to_device(batch, self.run.device))

        return call

    def embed(self, modality: str, size: int, first: int = 0) -> Callable[[], Any]:
        """Return a call that encodes a batch of one modality for a search."""
        return partial(embedding, self.model, modality, self.items.raw(modality, self._rows(size, first)))

    def ask(self, direction: Direction, size: int, first: int = 0) -> Callable[[], Any]:
        """Return a batch of raw queries to what they find."""
        assert self.search is not None
        return partial(self.search.ask, direction, self._rows(size, first))

    def _rows(self, size: int, first: int) -> np.ndarray:
        return self.items.rows[first : first + size]

    def counted(self) -> dict[str, list[Callable[[], Any]]]:
        """Name -> calls whose operations are averaged, an item each."""
        each = range(COUNTED)
        results = {"item": [self.item(1, first) for first in each]}
        if self.embeds:
            results |= {m: [self.embed(m, 1, first) for first in each] for m in self.model.encoders}
        if self.search is not None:
            results |= {d: [self.ask(d, 1, first) for first in each] for d in DIRECTIONS}
        return results

    def timed(self) -> dict[str, tuple[Callable[[], Any], int]]:
        """Name -> call and the items that it answers."""
        results: dict[str, tuple[Callable[[], Any], int]] = {}
        for size in (1, COUNT):
            if self.search is None:
                results[f"item@{size}"] = self.item(size), size
            # Of a search, a batch's embedding is nearly all of its queries' time; it is timed once.
            for modality in self.model.encoders if self.embeds and (size == 1 or self.search is None) else ():
                results[f"{modality}@{size}"] = self.embed(modality, size), size
            for direction in DIRECTIONS if self.search is not None else ():
                results[f"{direction}@{size}"] = self.ask(direction, size), size
        if self.search is not None and self.model.scorer is not None:
            results["pair"] = partial(self.search.pairs, COUNT), COUNT
        return results


def _accelerator(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type}, {processor_name()}"


def _mean(results: list[Flops]) -> tuple[float, set[str]]:
    return sum(one.count for one in results) / len(results), {name for one in results for name in one.missed}
