"""Pairwise scorers: how well an image and a caption fit, seen together."""
