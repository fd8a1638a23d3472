"""Pairwise scorers: how well an image and a caption fit, seen together.

Imports core and ops.
"""
