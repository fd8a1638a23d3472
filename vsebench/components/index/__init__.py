"""Indexes: nearest neighbours of a query vector, exactly or approximately.

Imports core and ops.
"""
