"""Intervals, bootstrap, paired tests, rank groups.

Imports core, ops and runs.
"""
