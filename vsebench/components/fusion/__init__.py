"""Fusions: the vectors or tokens of several modalities become one vector.

Imports core and ops.
"""
