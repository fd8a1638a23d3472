"""Boards: tables, plots and pages written from committed results; torch never.

Imports components, core, data, inspect, ops, runs and stats.
"""
