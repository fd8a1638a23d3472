"""Optimisers, as functions of a model's parameters.

Imports core and ops.
"""
