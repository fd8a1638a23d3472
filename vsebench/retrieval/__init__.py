"""Search in a gallery of a finished run: built, kept, queried, served; and indexes compared.

Imports components, config, core, data, engine, inspect, leaderboard, ops, runs, stats and sweeps.
"""
