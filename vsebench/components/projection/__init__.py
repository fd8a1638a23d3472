"""Projections: from the pooled vector of a modality into the joint space.

Imports core and ops.
"""
