"""Datasets: builders, the file's layout and checks, reading items, pictures and sounds.

Imports core, ops and config.
"""
