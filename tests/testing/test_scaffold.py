from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vsebench.core.errors import ConfigError
from vsebench.core.plugins import LOADED_PLUGINS, load_plugin
from vsebench.core.registry import KINDS
from vsebench.testing import scaffold
from vsebench.testing.kit import check_component


@pytest.mark.parametrize("kind", scaffold.SCAFFOLD_KINDS)
def test_written_module_keeps_its_contract(kind: str, tmp_path: Path) -> None:
    module, test = scaffold.write_component(kind, f"fresh_{kind}", tmp_path)
    assert (module.name, test.name) == (f"fresh_{kind}.py", f"test_fresh_{kind}.py")
    load_plugin(module)
    try:
        check_component(kind, f"fresh_{kind}")
    finally:
        KINDS[kind].forget(f"fresh_{kind}")
        LOADED_PLUGINS.pop(str(module.resolve()))


def test_written_tests_pass(tmp_path: Path) -> None:
    for kind in scaffold.SCAFFOLD_KINDS:
        scaffold.write_component(kind, f"fresh_{kind}", tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 * len(scaffold.SCAFFOLD_KINDS)} passed" in done.stdout


def test_a_broken_edit_of_the_written_module_is_found(tmp_path: Path) -> None:
    module, _ = scaffold.write_component("pooling", "forgetful", tmp_path)
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace("return (weights[:, :, None] * values).sum(1)", "return values.mean(1)"))
    load_plugin(module)
    try:
        with pytest.raises(
            AssertionError, match=r"pooling 'forgetful' .*: no gradient reaches its parameter 'score\.weight'"
        ):
            check_component("pooling", "forgetful")
    finally:
        KINDS["pooling"].forget("forgetful")
        LOADED_PLUGINS.pop(str(module.resolve()))


def test_every_line_fits_the_house_style() -> None:
    for kind in scaffold.SCAFFOLD_KINDS:
        for text in (scaffold.text_of_module(kind, "my_part"), scaffold.text_of_test(kind, "my_part")):
            assert text.endswith("\n")
            assert "$" not in text
            assert max(map(len, text.splitlines())) <= 120


def test_class_name() -> None:
    assert scaffold.class_name("my_fusion2_x") == "MyFusion2X"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("kept")
    with pytest.raises(ConfigError, match=r"test_mine\.py exists already; nothing was written"):
        scaffold.write_component("fusion", "mine", tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["test_mine.py"]


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fusion 'gated' exists already\. Choose another name\. Known: amir, "):
        scaffold.write_component("fusion", "gated", tmp_path)


@pytest.mark.parametrize("name", ["MyFusion", "my-fusion", "2nd", "class", "a__b", "_a", "../up", ""])
def test_a_name_that_is_no_module_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="cannot be a component's name: lower-case words joined by _, such as my_fusion"
    ):
        scaffold.write_component("fusion", name, tmp_path)


def test_a_kind_without_a_template_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        scaffold.text_of_module("fusoin", "mine")
    assert str(caught.value) == (
        "no template for a new 'fusoin'. Did you mean 'fusion'? There are: attention, augmentation, fusion, head, "
        "measurement, objective, pooling."
    )


def test_import_loads_no_torch() -> None:
    code = "import sys, vsebench.testing.scaffold; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
