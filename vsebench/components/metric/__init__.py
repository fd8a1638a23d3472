"""Metrics: numbers of a split's predictions.

Imports core and ops.
"""
