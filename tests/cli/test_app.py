"""The commands as a user types them: output, exit codes, one message for each mistake."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import vsebench

Write = Callable[[Any], Path]


@pytest.mark.slow
def test_sweep_leaderboard_and_check(write_experiment: Write, feature_experiment: Any, tmp_path: Path) -> None:
    file = write_experiment(feature_experiment)
    plan = vsebench("sweep", file, "--dry-run", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert "2 runs, 2 to do." in plan.stdout
    assert not (tmp_path / "runs" / "tiny").exists()
    done = vsebench("sweep", file, "--wandb", "disabled", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tiny: 2 runs, 0 finished, 2 to do." in done.stdout
    assert "[2/2] done" in done.stderr
    page = tmp_path / "leaderboard" / "tiny.md"
    assert f"Board: {page.relative_to(tmp_path)}" in done.stdout
    assert vsebench("leaderboard", "--check", cwd=tmp_path).returncode == 0
    page.write_text(page.read_text().replace("both", "mine", 1))
    stale = vsebench("leaderboard", "--check", cwd=tmp_path)
    assert stale.returncode == 1
    assert "stale: leaderboard/tiny.md" in stale.stdout
    assert "wrote leaderboard/tiny.md" in vsebench("leaderboard", cwd=tmp_path).stdout
    again = vsebench("sweep", file, "--wandb", "disabled", "-o", "seeds=[0]", cwd=tmp_path)
    assert "2 finished, 0 to do" in again.stdout


@pytest.mark.slow
def test_failed_runs_exit_with_1_and_the_rest_is_kept(
    write_experiment: Write, feature_experiment: Any, tmp_path: Path
) -> None:
    feature_experiment["systems"]["bad"] = {
        **feature_experiment["systems"]["both"],
        "train": {"optimizer": {"name": "sgd", "lr": 1e30}},
    }
    file = write_experiment(feature_experiment)
    done = vsebench("sweep", file, "--wandb", "disabled", "--workers", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: 1 of 3 runs failed:\n  bad, seed 0:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "| both" in (tmp_path / "leaderboard" / "tiny.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["sweep", "nothing.yaml"], "error: nothing.yaml: no such file"),
        (["sweep", "e.yaml"], "error: e.yaml:2: there is no dataset 'mmfbr'. Did you mean 'mmfrb'? There are: "),
        (["sweep", "e.yaml", "-o", "dataset={name: mmfrb, itemz: 80}"], "unknown option 'itemz' of dataset 'mmfrb'"),
        (["sweep", "e.yaml", "--wandb", "offlin"], "error: --wandb 'offlin' is unknown. Did you mean 'offline'?"),
        (["sweep", "e.yaml", "-o", "dataset=mmfrb", "--executor", "rya"], "unknown executor 'rya'. Did you mean 'ray'"),
        (["sweep", "e.yaml", "--address", "auto"], "error: --address belongs to --executor ray"),
        (["sweep", "e.yaml", "--gpus-per-run", "1"], "error: --gpus-per-run belongs to --executor ray"),
        (["sweep", "e.yaml", "--executor", "ray", "--device", "cuda:1"], "Ray chooses the GPU of a run"),
        (["sweep", "e.yaml", "-o", "dataset=mmfrb", "--only", "zzz"], "error: --only 'zzz' matches no row of e.yaml."),
        (["sweep", "e.yaml", "--plugin", "no.py"], "plug-in 'no.py' does not exist"),
        (["components", "fusio"], "error: unknown kind 'fusio'. Did you mean 'fusion'?"),
        (["components", "fusion", "gatd"], "error: unknown fusion 'gatd'. Did you mean 'gated'?"),
        (["components", "check", "fusion"], "error: write 'vsebench components check KIND NAME'"),
        (["components", "fusion", "gated", "x"], "error: write 'vsebench components', 'components KIND'"),
        (["leaderboard", "nothing"], "error: "),
        (["data", "show", "nothing"], "error: there is no dataset 'nothing'."),
        (["data", "build", "x"], "error: 'folder' needs --from"),
        (["data", "build", "x", "--from", ".", "--text-colum", "y"], "Did you mean '--text-column'?"),
        (["data", "build", "x", "--from", ".", "--seed", "y"], "option '--seed' must be int. Got 'y'."),
        (["new", "fusion", "gated"], "error: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_mistakes_are_one_message(tmp_path: Path, arguments: list[str], text: str) -> None:
    content = {"experiment": "e", "dataset": "mmfbr", "systems": {"a": {"system": "vse"}}}
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    done = vsebench(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_components() -> None:
    everything = vsebench("components").stdout
    assert "lowrank, max, mcb, mfb" in everything
    kind = vsebench("components", "fusion").stdout
    assert "Arevalo et al. 2017" in kind
    one = vsebench("components", "fusion", "dense_projection").stdout
    for part in (
        "vsebench/components/fusion/dense_projection.py:",
        "hidden",
        "int > 0 or null",
        "default None",
        "Shape:",
        "source:",
    ):
        assert part in one


def test_components_from_a_plugin(tmp_path: Path) -> None:
    assert vsebench("new", "fusion", "my_fusion", "--folder", tmp_path).returncode == 0
    done = vsebench("components", "fusion", "my_fusion", "--plugin", tmp_path / "my_fusion.py")
    assert "fusion 'my_fusion'" in done.stdout
    assert "my_fusion.py:" in done.stdout


def test_version_and_doctor() -> None:
    assert vsebench("--version").stdout.startswith("vsebench 0.")
    done = vsebench("doctor")
    assert done.returncode == 0, done.stderr
    for part in ("torch ", "timm ", "W&B: not logged in" if "not logged" in done.stdout else "W&B:", "hub: offline"):
        assert part in done.stdout


def test_doctor_knows_the_broken_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    from packaging.requirements import Requirement

    from vsebench.cli import doctor

    fault = RuntimeError("whatever an import of the wrong pair says")
    assert "Mend: pip install --force-reinstall timm" in doctor.mend("timm", fault)
    monkeypatch.setattr(doctor, "torch_of_torchvision", lambda: Requirement("torch==1.0"))
    message = doctor.mend("timm", fault)
    assert "do not fit each other: timm cannot be imported (RuntimeError: whatever" in message
    assert message.endswith("Mend: pip install --force-reinstall torch torchvision")


def test_doctor_states_the_bounds_of_the_project() -> None:
    """Bounds are written once, in pyproject.toml."""
    from vsebench.cli.doctor import requirements

    file = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    optional = {r for extra, listed in project["optional-dependencies"].items() if extra != "test" for r in listed}
    stated = {f"{requirement.name}{requirement.specifier}": extra for requirement, extra in requirements()}
    if {r for r, extra in stated.items() if not extra} != set(project["dependencies"]):
        pytest.skip("vsebench was installed before pyproject.toml changed")
    assert {r for r, extra in stated.items() if extra} == optional - set(project["dependencies"])


def test_doctor_names_what_is_too_old() -> None:
    from packaging.requirements import Requirement

    from vsebench.cli.doctor import outdated

    assert outdated(Requirement("torch>=2.6"), "2.14.1+cu130") == ""
    assert outdated(Requirement("torch>=2.6"), "2.5.1") == (
        "torch 2.5.1 does not work; vsebench needs torch>=2.6. Mend: pip install -U 'torch>=2.6'"
    )


def test_data_commands(tmp_path: Path, tiny_file: Path) -> None:
    shown = vsebench("data", "show", tiny_file, "--sheet", tmp_path / "sheet.png", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "words per text" in shown.stdout
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert "sound" in vsebench("data", "check", tiny_file).stdout
    broken = tmp_path / "broken.h5"
    broken.write_bytes(tiny_file.read_bytes()[:2000])
    done = vsebench("data", "check", broken)
    assert done.returncode == 2
    assert "not a whole vsebench dataset" in done.stderr
