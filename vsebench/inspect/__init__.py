"""Pages to look at: what a finished run retrieves and misses, and what it attends to.

Imports components, core, data, engine, ops and runs.
"""
