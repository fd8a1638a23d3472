"""Corruptions: changes of single inputs at stated strengths, by which robustness is measured.

Imports core and ops.
"""
