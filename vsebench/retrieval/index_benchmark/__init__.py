"""Indexes compared on the same vectors: recall, speed and bytes."""
