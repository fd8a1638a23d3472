"""Augmentations: random changes of training pixels.

Imports core and ops.
"""
