"""Functions over tensors and arrays that several components share.

Imports core.
"""
