"""Counters of energy: read, begun again, forbidden, absent."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vsebench.runs import energy
from vsebench.runs.energy import ENERGY, Meter, read_energy


def package(folder: Path, number: int, joules: float, limit: float = 1000.0) -> Path:
    """A processor package as Linux shows it, with a zone of its cores that must not count twice."""
    for name in (f"intel-rapl:{number}", f"intel-rapl:{number}:0"):
        zone = folder / name
        zone.mkdir(parents=True)
        (zone / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")
        (zone / "max_energy_range_uj").write_text(f"{limit * 1e6:.0f}\n")
    return folder / f"intel-rapl:{number}" / "energy_uj"


def test_packages_are_summed(tmp_path: Path) -> None:
    first, second = package(tmp_path, 0, 10), package(tmp_path, 1, 20)
    with Meter(folder=tmp_path) as meter:
        first.write_text("12500000")
        second.write_text("21000000")
    assert meter.readings()["joules"] == {"processor": pytest.approx(3.5)}
    assert meter.readings()["why"] == {}


def test_counter_that_begins_again(tmp_path: Path) -> None:
    file = package(tmp_path, 0, 990)
    with Meter(folder=tmp_path) as meter:
        file.write_text("5000000")
    assert meter.readings()["joules"]["processor"] == pytest.approx(15.0)


def test_is_read_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two readings a counter may begin again once: 990 -> 500 -> 600 is not seen from its ends alone."""
    monkeypatch.setattr(energy, "EVERY_S", 0.02)
    file = package(tmp_path, 0, 100)
    with Meter(folder=tmp_path) as meter:
        for joules in (900, 200, 300):
            whole = tmp_path / "next"
            whole.write_text(f"{joules}000000")
            whole.replace(file)  # a counter of the system is never half written
            time.sleep(0.2)
    assert meter.readings()["joules"]["processor"] == pytest.approx(800 + 300 + 100)


def test_absent_counters_say_so(tmp_path: Path) -> None:
    with Meter(folder=tmp_path) as meter:
        pass
    assert meter.readings()["joules"] == {}
    assert "no counters" in meter.readings()["why"]["processor"]


def test_forbidden_counters_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, 0, 1)

    def refuse(*_: Any, **__: Any) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    with Meter(folder=tmp_path) as meter:
        pass
    assert "root alone" in meter.readings()["why"]["processor"]


def test_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([5_000, 12_500])
    fake = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=lambda _: next(readings),
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    with Meter("GPU-1", folder=tmp_path) as meter:
        pass
    assert meter.readings()["joules"] == {"gpu": pytest.approx(7.5)}


def test_gpu_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with Meter("GPU-1", folder=tmp_path) as meter:
        pass
    assert "vsebench[energy]" in meter.readings()["why"]["gpu"]


def test_counter_that_goes_away(tmp_path: Path) -> None:
    file = package(tmp_path, 0, 1)
    with Meter(folder=tmp_path) as meter:
        file.unlink()
    assert meter.readings()["joules"] == {}
    assert "to the end" in meter.readings()["why"]["processor"]


def test_a_run_tells(tmp_path: Path) -> None:
    assert "not metered" in read_energy(tmp_path, 10.0)["energy_missing"]["processor"]
    (tmp_path / ENERGY).write_text(json.dumps({"joules": {"processor": 50.0}, "why": {}, "seconds": 10.0}))
    assert read_energy(tmp_path, 10.2) == {"energy_j": {"processor": 50.0}}
    result = read_energy(tmp_path, 20.0)
    assert "energy_j" not in result, "half of the training is no number"
    assert "10 of 20 s" in result["energy_missing"]["processor"]
    (tmp_path / ENERGY).write_text("{")
    assert "damaged" in read_energy(tmp_path, 10.0)["energy_missing"]["processor"]
