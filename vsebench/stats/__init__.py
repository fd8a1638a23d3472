"""Intervals, bootstrap, paired tests, rank groups. Imports core and the data of boards."""
