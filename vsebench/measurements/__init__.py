"""What is measured of finished runs beside their metrics: cost, robustness, subsets.

Imports components, config, core, data, engine, ops, runs and sweeps.
"""
