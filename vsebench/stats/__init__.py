"""Intervals, bootstrap, paired tests, rank groups.

Imports core and runs.
"""
