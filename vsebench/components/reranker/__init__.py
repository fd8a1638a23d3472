"""Re-rankers: a second order of the nearest candidates.

Imports core and ops.
"""
