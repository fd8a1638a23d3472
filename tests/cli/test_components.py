"""``vsebench components check``: a line for each check, and what the exit code says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import vsebench

from vsebench.cli.components import check
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FUSIONS
from vsebench.testing.scaffold import write_component


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Path]:
    """A fusion whose result does not depend on its parameters, and whose docstring has no example."""
    file, _ = write_component("fusion", "fixed_fusion", tmp_path)
    text = file.read_text(encoding="utf-8")
    text = text.replace("project(vectors[m])", "project(vectors[m]).detach() + 0 * project(vectors[m])")
    file.write_text(text.replace("Example:", "Elsewhere:"), encoding="utf-8")
    yield file
    FUSIONS.forget("fixed_fusion")


def test_every_check_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("fusion", "gated", ["temperature=0.5"], []) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first.startswith("fusion 'gated' (vsebench/components/fusion/gated.py:")
    assert all(line.startswith("  pass  ") and line.endswith(".") for line in lines)
    assert [line.split()[1].rstrip(":") for line in lines[:4]] == ["options", "built", "shape", "finite"]
    assert last == f"{len(lines)} of {len(lines)} checks passed."


def test_all_that_fails_is_said(fusion: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("fusion", "fixed_fusion", (), [fusion]) == 1
    output = capsys.readouterr().out
    failed = [line for line in output.splitlines() if line.startswith("  FAIL")]
    assert len(failed) == 2
    assert "gradients: fusion 'fixed_fusion' (image + text): no gradient reaches its parameter 'project" in failed[0]
    assert "docstring: fusion 'fixed_fusion'" in failed[1]
    assert "has no 'Example:'" in failed[1]
    assert output.endswith("10 of 12 checks passed.\n")


def test_what_raises_is_named_and_goes_no_further(fusion: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fusion.write_text(fusion.read_text().replace("return self.scale", "return 1 / 0 * self.scale"))
    assert check("fusion", "fixed_fusion", (), [fusion]) == 1
    output = capsys.readouterr().out
    assert (
        "FAIL  built: fusion 'fixed_fusion' (image + text): it cannot be built and called: ZeroDivisionError" in output
    )
    assert "gradients" not in output


def test_kinds_without_cases_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("metric", "f1", (), ()) == 0
    assert "Of a metric only these are checked; what it computes is not." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("temperature", "'temperature' is no option: write name=value"),
        ("temperature=[", "the value of 'temperature=\\[' is no YAML"),
        ("temprature=1", "unknown option 'temprature' of fusion 'gated'. Did you mean 'temperature'"),
        ("temperature=-1", "option 'temperature' of fusion 'gated': must be greater than 0"),
    ],
)
def test_wrong_options_are_one_message(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check("fusion", "gated", [assignment], ())


def test_the_command_exits_with_1(fusion: Path) -> None:
    done = vsebench("components", "check", "fusion", "fixed_fusion", "--plugin", fusion)
    assert done.returncode == 1, done.stderr
    assert "FAIL  gradients" in done.stdout
    assert not done.stderr
