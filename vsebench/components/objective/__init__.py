"""Objectives: the terms of the training loss.

Imports core and ops.
"""
