"""Datasets: builders, the file's layout and checks, reading items, pictures and sounds.

Imports components/corruption, config, core and ops.
"""
