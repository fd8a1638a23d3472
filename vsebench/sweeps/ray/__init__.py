"""Runs on a Ray cluster. Imports sweep."""
