"""Poolings: the tokens of one modality become one vector.

Imports core and ops.
"""
