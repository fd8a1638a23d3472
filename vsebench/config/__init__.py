"""Experiment files: YAML to typed values, with file and line in every error.

Imports core.
"""
