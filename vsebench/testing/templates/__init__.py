"""Texts of new components and their tests, with ``$name``, ``$cls`` and ``$kind`` to fill in; see scaffold.py."""

from __future__ import annotations

from vsebench.testing.templates import attention, fusion, head, objective, pooling

#: Before the body of each kind's own test.
TEST = '''\
"""Tests of $name: run them with ``pytest test_$name.py``."""

from __future__ import annotations

from pathlib import Path

import torch
import vsebench as vb

plugin = vb.load_plugin(Path(__file__).with_name("$name.py"))


def test_keeps_the_contract_of_a_$kind() -> None:
    # Shapes, padding, gradients, determinism, saving, bf16, docstring: what built-in components pass.
    vb.check_component("$kind", "$name")


def test_a_case_worked_out_by_hand() -> None:'''

#: Kind -> its module and the body of its test.
TEMPLATES = {
    "attention": (attention.MODULE, attention.TEST),
    "fusion": (fusion.MODULE, fusion.TEST),
    "head": (head.MODULE, head.TEST),
    "objective": (objective.MODULE, objective.TEST),
    "pooling": (pooling.MODULE, pooling.TEST),
}
