"""Energy that training takes, where this machine's counters can be read; never estimated.

Linux keeps one of each processor package (RAPL, ``/sys/class/powercap``), NVIDIA's driver one of each GPU (read by the
package nvidia-ml-py). Both count everything that the package or the GPU does, also for others.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from vsebench.core.files import write_atomically

ENERGY = "energy.json"
POWERCAP = Path("/sys/class/powercap")
#: Seconds between readings: a package's counter begins again at some 260 kJ, which takes minutes.
EVERY_S = 30.0
#: Share of the training time that must have been metered.
WHOLE = 0.95


class Packages:
    """The processor's packages.

    Attributes:
        joules: used since the beginning.
        why: why there is none to read; empty where there is.
    """

    def __init__(self, folder: Path = POWERCAP) -> None:
        self.files = sorted(f for f in folder.glob("*/energy_uj") if f.parent.name.count(":") == 1)
        self.joules, self.why, self.last = 0.0, "", {}
        try:
            self.last = {file: int(file.read_text()) for file in self.files}
            self.range = {file: int(file.with_name("max_energy_range_uj").read_text()) for file in self.files}
        except PermissionError:
            self.why = "the processor's counters may be read by root alone"
        except (OSError, ValueError):
            self.why = "the processor's counters cannot be read"
        if not self.files:
            self.why = "this system shows no counters of the processor"

    def read(self) -> None:
        """Add what was used since the last reading; a counter that is lower than it was has begun again."""
        for file, before in self.last.items() if not self.why else ():
            now = int(file.read_text())
            self.joules += 1e-6 * ((now - before) % (self.range[file] + 1) if now < before else now - before)
            self.last[file] = now


class Gpu:
    """One NVIDIA GPU.

    Attributes:
        joules, why: as of :class:`Packages`.
    """

    def __init__(self, uuid: str) -> None:
        self.joules, self.why = 0.0, ""
        try:
            import pynvml

            pynvml.nvmlInit()
            self.handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            self.total = pynvml.nvmlDeviceGetTotalEnergyConsumption
            self.first = self.total(self.handle)
        except ImportError:
            self.why = "the GPU's counter is read by nvidia-ml-py: pip install 'vsebench[energy]'"
        except Exception as error:  # NVML has one class for all its faults, in a package that may be absent
            self.why = f"the GPU's counter cannot be read ({error})"

    def read(self) -> None:
        """Read what was used since the beginning; the driver counts millijoules."""
        if not self.why:
            self.joules = 1e-3 * (self.total(self.handle) - self.first)


class Meter:
    """Reads the counters while its block runs.

    Args:
        uuid: of the GPU that trains; None without one.
        folder: where the processor's counters are.

    Example:
        >>> with Meter() as meter:
        ...     pass
        >>> sorted(meter.readings())
        ['joules', 'seconds', 'why']
    """

    def __init__(self, uuid: str | None = None, folder: Path = POWERCAP) -> None:
        self.counters: dict[str, Packages | Gpu] = {"processor": Packages(folder)}
        if uuid is not None:
            self.counters["gpu"] = Gpu(uuid)
        self.over = threading.Event()
        self.watch = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self.begin = time.perf_counter()
        if any(not counter.why for counter in self.counters.values()):
            self.watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        if self.watch.ident is not None:
            self.watch.join()
        self._read()
        self.seconds = time.perf_counter() - self.begin

    def readings(self) -> dict[str, Any]:
        """Return the readings: ``joules``, or ``why`` not, by counter, and the ``seconds`` of the block."""
        known = {name: counter.joules for name, counter in self.counters.items() if not counter.why}
        why = {name: counter.why for name, counter in self.counters.items() if counter.why}
        return {"joules": known, "why": why, "seconds": self.seconds}

    def write(self, folder: Path) -> None:
        """Put it beside the run's other files."""
        write_atomically(folder / ENERGY, json.dumps(self.readings()))

    def _watch(self) -> None:
        while not self.over.wait(EVERY_S):
            self._read()

    def _read(self) -> None:
        for counter in self.counters.values():
            try:
                counter.read()
            except Exception as error:  # a counter that goes away ends its own number, not the training
                counter.why = f"a counter could not be read to the end ({error})"


def meter_of(device: Any) -> Meter:
    """Return the meter of a run that trains on one torch device."""
    if device.type != "cuda":
        return Meter()
    import torch

    return Meter(f"GPU-{torch.cuda.get_device_properties(device).uuid}")


def read_energy(folder: Path, train_s: float) -> dict[str, Any]:
    """``energy_j``, joules of a run's training by counter, and ``energy_missing``, counter -> why it has no number."""
    try:
        data: Mapping[str, Any] = json.loads((folder / ENERGY).read_text(encoding="utf-8"))
        joules, why, seconds = dict(data["joules"]), dict(data["why"]), float(data["seconds"])
    except FileNotFoundError:
        return {"energy_missing": {"processor": "it was not metered while the run trained"}}
    except (OSError, ValueError, KeyError, TypeError):
        return {"energy_missing": {"processor": f"{ENERGY} of the run is damaged"}}
    if seconds < WHOLE * train_s:
        partly = f"{seconds:.0f} of {train_s:.0f} s of training were metered: the run was continued"
        joules, why = {}, dict.fromkeys([*joules, *why], partly)
    return {**({"energy_j": joules} if joules else {}), **({"energy_missing": why} if why else {})}
