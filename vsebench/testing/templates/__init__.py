"""Texts of new components and their tests, with ``$name``, ``$cls`` and ``$kind`` to fill in; see scaffold.py."""

from __future__ import annotations

from vsebench.testing.templates import attention, augmentation, fusion, head, measurement, objective, pooling

#: Before the body of each kind's own test.
TEST = '''\
"""Tests of $name: run them with ``pytest test_$name.py``."""

from __future__ import annotations

from pathlib import Path

import torch
import vsebench as vb

plugin = vb.load_plugin(Path(__file__).with_name("$name.py"))


def test_keeps_the_contract_of_a_$kind() -> None:
    # What built-in components pass, such as shapes, gradients, determinism, and a docstring that says what it must.
    vb.check_component("$kind", "$name")


def test_a_case_worked_out_by_hand() -> None:'''

#: Kind -> its module and the body of its test.
TEMPLATES = {
    "attention": (attention.MODULE, attention.TEST),
    "augmentation": (augmentation.MODULE, augmentation.TEST),
    "fusion": (fusion.MODULE, fusion.TEST),
    "head": (head.MODULE, head.TEST),
    "measurement": (measurement.MODULE, measurement.TEST),
    "objective": (objective.MODULE, objective.TEST),
    "pooling": (pooling.MODULE, pooling.TEST),
}
