"""Sweeps: the plan, the runs of it and their executors; what a sweep ends with is results in the store.

Imports components, config, core, data, distributed, engine, ops and runs.
"""
