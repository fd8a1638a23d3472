"""Heads: a classifier over the fused vector, or one decision from those of the modalities.

Imports core and ops.
"""
