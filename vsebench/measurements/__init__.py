"""What is measured of finished runs beside their metrics: cost, robustness, subsets.

Imports components, config, core, data, engine, leaderboard, ops and runs.
"""
