"""The interchangeable parts, one folder for each kind and one file for each part.

Kinds do not import each other. Imports core and ops.
"""
