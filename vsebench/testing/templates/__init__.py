"""Texts of new components and their tests, with ``$name``, ``$cls`` and ``$kind`` to fill in; see scaffold.py."""

from __future__ import annotations

from vsebench.testing.templates import attention, fusion, head, objective, pooling

#: Before the body of each kind's own test; TYPES becomes an import.
TEST = '''\
"""Tests of $name: run them with ``pytest test_$name.py``."""

from __future__ import annotations

from pathlib import Path

import torch
from vsebench.core.plugins import load_plugin_file
from vsebench.testing import check_component
TYPES
plugin = load_plugin_file(Path(__file__).with_name("$name.py"))


def test_keeps_the_contract_of_a_$kind() -> None:
    # Shapes, padding, gradients, determinism, saving, bf16, docstring: what built-in components pass.
    check_component("$kind", "$name")


def test_a_case_worked_out_by_hand() -> None:'''

#: Kind -> its module, the body of its test, the types that the test imports.
TEMPLATES = {
    "attention": (attention.MODULE, attention.TEST, "Tokens"),
    "fusion": (fusion.MODULE, fusion.TEST, ""),
    "head": (head.MODULE, head.TEST, ""),
    "objective": (objective.MODULE, objective.TEST, "Batch, Output"),
    "pooling": (pooling.MODULE, pooling.TEST, "Tokens"),
}
