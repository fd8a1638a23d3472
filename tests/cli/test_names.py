"""Names as a user types them: in any case, abbreviated to the name of an experiment, completed by the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boards
import pytest
from commands import vsebench

from vsebench.config.find import experiment_file
from vsebench.core.errors import ConfigError, did_you_mean
from vsebench.results.original import find_on_boards
from vsebench.runs.find import find_run, row_runs
from vsebench.runs.snapshot import board_names

ROOT = Path(__file__).parents[2]


def test_an_experiment_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "experiments" / "mmfrb.yaml"
    file.parent.mkdir()
    file.touch()
    for given in ("mmfrb", "MMFRB"):
        assert experiment_file(Path(given)) == Path("experiments/mmfrb.yaml")
    for given in ("experiments/mmfrb.yaml", "mmfrb.yaml", "a/mmfrb", "experiments"):
        assert experiment_file(Path(given)) == Path(given), "only a bare name that is no file is looked up"
    with pytest.raises(ConfigError, match=r"^mmfbr: no such file, and no .* Did you mean 'mmfrb'\? There are: mmfrb"):
        experiment_file(Path("mmfbr"))


def test_which_file_was_meant_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "smoke.yaml", tmp_path / "experiments")
    done = vsebench("sweep", "Smoke", "-o", "seed=1", "--dry-run", cwd=tmp_path)
    assert done.stdout == "Smoke is experiments/smoke.yaml.\n"
    assert done.stderr.startswith("error: -o seed=1: unknown key 'seed'")


def test_measure_by_name_before_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "mmfrb.yaml", tmp_path / "experiments")
    done = vsebench("measure", "MMFRB", cwd=tmp_path)
    assert done.returncode == 2
    sweep = "Sweep it first: vsebench sweep experiments/mmfrb.yaml"
    assert done.stderr == f"error: 'mmfrb' has no board in leaderboard, so there is nothing to measure yet. {sweep}\n"


def test_a_row_is_found_in_any_case(tmp_path: Path) -> None:
    runs, board = tmp_path / "runs", tmp_path / "board"
    made = boards.run(runs, "VSE", 0)
    boards.put(board, boards.snapshot([made]))
    folder = runs / boards.NAME / made.run_id
    assert row_runs("DEMO/vse", runs) == {0: folder}
    assert board_names(board, ["Demo"]) == ["demo"]
    result = find_on_boards("DEMO/vse", board, 0)
    assert result is not None
    assert result.run_id == made.run_id
    boards.run(runs, "vsE", 1)
    assert row_runs("demo/vse", runs) == {}, "two rows fit"
    assert set(row_runs("demo/VSE", runs)) == {0}
    with pytest.raises(Exception, match=r"no finished run of a row 'vse'\. Did you mean"):
        find_run("demo/vse", runs)


def test_a_hint_does_not_depend_on_case() -> None:
    assert did_you_mean("GATD", ["gated", "concat"]) == " Did you mean 'gated'?"
    assert did_you_mean("mmfrb/cimm", ["mmfrb/CIM"]) == " Did you mean 'mmfrb/CIM'?"
    assert did_you_mean("zzz", ["gated"]) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Swep"], "No such command 'Swep'. Did you mean 'sweep'?"),
        (["DATA", "Chek"], "No such command 'Chek'. Did you mean 'check'?"),
        (["sweep", "x.yaml", "--DRY-RUN", "--Wandb", "Offlin"], "--wandb 'Offlin' is unknown. Did you mean 'offline'?"),
    ],
)  # fmt: skip
def test_commands_and_options_in_any_case(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = vsebench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def complete(line: str) -> list[str]:
    """What bash offers at the end of a line."""
    code = "import sys; sys.argv[0] = 'vsebench'; from vsebench.cli.app import main; main()"
    words = {"_VSEBENCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    environment = {**os.environ, **words, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    ).stdout.split("\n")[:-1]


def test_names_are_completed() -> None:
    assert complete("vsebench rep") == ["reproduce"]
    names = sorted(file.stem for file in (ROOT / "experiments").glob("mmf*.yaml"))
    assert complete("vsebench sweep mmf") == names != []
    assert complete("vsebench sweep experiments/mmfrb.") == ["experiments/mmfrb.yaml"]
    boards = sorted(f"{file.stem}/" for file in (ROOT / "leaderboard" / "results").glob("mmf*.json"))
    assert complete("vsebench compare mmf") == boards != []
    assert "mmfrb/VSE" in complete("vsebench compare mmfrb/V")
    assert complete("vsebench compare nothing/v") == [""]
    assert complete("vsebench components fus") == ["fusion"]
    assert complete("vsebench components fusion gated_") == ["gated_sum"]
    assert complete("vsebench index x --index ivf_") == ["ivf_pq"]
    assert complete("vsebench data show mmfr") == ["mmfrb"]


def test_completion_can_be_installed(tmp_path: Path) -> None:
    done = vsebench("--install-completion", "bash", env={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "vsebench" in (tmp_path / ".bashrc").read_text()


def test_help_is_in_panels_and_as_wide_as_the_terminal() -> None:
    wide = vsebench("--help", env={"COLUMNS": "150"}).stdout
    for panel in ("Run experiments:", "Boards and results:", "Search a gallery:", "Data:"):
        assert panel in wide
    assert "combine      Rank by a weighted sum" in wide or "combine  Rank by a weighted sum" in wide
    assert "board; rows are combined seed by seed." in wide
    assert 100 < max(map(len, wide.splitlines())) <= 150
    assert max(map(len, vsebench("--help", env={"COLUMNS": "60"}).stdout.splitlines())) <= 60
    group = vsebench("results", "--help", env={"COLUMNS": "150"}).stdout
    assert "Unite results of one experiment from several machines or people, and write its board." in group
