"""What is done with results: checked, made again, merged, compared, fetched.

Imports components, config, core, data, engine, inspect, leaderboard, measurements, ops, runs, stats and sweeps.
"""
