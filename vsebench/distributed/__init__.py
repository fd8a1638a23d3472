"""Process groups and the sharing of gradients between processes.

Imports core.
"""
