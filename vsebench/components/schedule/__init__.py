"""Schedules of the learning rate.

Imports core and ops.
"""
