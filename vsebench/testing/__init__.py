"""Conformance kit for components, built in or of one's own, and the files that a new component starts from.

Imports components, config, core, data, leaderboard, measurements, ops, pipeline, runs and sweeps.
"""
