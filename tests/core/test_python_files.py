"""A file's digest is blind to spelling, and to nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vsebench.core.python_files import Code, Import, code_of

BASE = '''
"""A module."""
import math
from vsebench.ops.masking import blank

LIMIT = 3

class Some:
    first: int
    second: float = 2.0

    def method(self, value: int, *, scale: float = 1.0) -> float:
        """Say what it does."""
        if value < LIMIT:
            raise ValueError(f"too smal: {value}")
        result: float = math.cos(value) * scale  # why
        parts = [blank(x) + result for x in range(value)]
        log.warning("parts of %s", value)
        return sum(parts)
'''
SAME = {
    "a docstring": ("Say what it does.", "Compute a cosine."),
    "a comment": ("# why", "# because"),
    "an annotation": ("value: int, *", "value: float, *"),
    "a result's annotation": ("-> float", "-> int"),
    "a message": ("too smal", "too small"),
    "a log": ("parts of %s", "these parts: %s"),
    "a local variable": ("result", "cosine"),
    "a variable of a comprehension": ("blank(x) + result for x in", "blank(one) + result for one in"),
    "an import for annotations": ("import math\n", "import math\nfrom typing import Any\n"),
}
OTHER = {
    "a number": ("scale: float = 1.0", "scale: float = 2.0"),
    "a constant": ("LIMIT = 3", "LIMIT = 4"),
    "a name of the module": ("LIMIT", "LEAST"),
    "a parameter": ("scale", "factor"),
    "an operation": ("* scale", "/ scale"),
    "a field's name": ("first", "one"),
    "the order of fields": ("    first: int\n    second: float = 2.0\n", "    second: float = 2.0\n    first: int\n"),
    "another error": ("ValueError", "TypeError"),
    "swapped variables": ("+ result for x", "+ x for x"),
    "another function": ("math.cos", "math.sin"),
}


def written(folder: Path, text: str) -> Code:
    """What a file with this text computes."""
    file = folder / f"{len(list(folder.iterdir()))}.py"
    file.write_text(text, encoding="utf-8")
    return code_of(file)


@pytest.mark.parametrize("change", SAME)
def test_spelling_is_the_same_code(change: str, tmp_path: Path) -> None:
    old, new = SAME[change]
    assert old in BASE
    assert written(tmp_path, BASE) == written(tmp_path, BASE.replace(old, new))


@pytest.mark.parametrize("change", OTHER)
def test_what_computes_is_other_code(change: str, tmp_path: Path) -> None:
    old, new = OTHER[change]
    assert old in BASE
    assert written(tmp_path, BASE).digest != written(tmp_path, BASE.replace(old, new)).digest


def test_imports_are_the_names_in_use(tmp_path: Path) -> None:
    used = (
        Import("math", "", "math"),
        Import("math", "cos", "math.cos"),
        Import("vsebench.ops.masking", "blank", "blank"),
    )
    assert written(tmp_path, BASE).imports == used
    moved = written(tmp_path, BASE.replace("vsebench.ops.masking", "vsebench.ops.other"))
    assert moved.digest == written(tmp_path, BASE).digest
    assert moved.imports != used


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    g()\n    return x\n",
        "def f(y):\n    match y:\n        case [x]:\n            x = x + 1\n    return x\n",
        "x = 5\ndef f():\n    def g():\n        x = 1\n        return x\n    return x\n",
        "def f():\n    try:\n        x = 1\n    except ValueError as x:\n        pass\n    return x\n",
        "def f():\n    class C:\n        x = 1\n    return C.x\n",
        "def f():\n    global x\n    x = 1\n",
    ],
)
def test_a_name_that_is_more_than_a_variable_counts(text: str, tmp_path: Path) -> None:
    assert written(tmp_path, text).digest != written(tmp_path, re.sub(r"\bx\b", "z", text)).digest
