"""Attention between the tokens of modalities, or within one.

Imports core and ops.
"""
