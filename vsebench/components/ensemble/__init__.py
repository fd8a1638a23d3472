"""Ensembling rules: the scores of one run become comparable with those of another, query by query.

Imports core and ops.
"""
