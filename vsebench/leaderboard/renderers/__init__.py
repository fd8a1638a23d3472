"""Outputs of a page: Markdown, HTML, LaTeX, CSV, terminal. None knows a metric.

Imports leaderboard.
"""
