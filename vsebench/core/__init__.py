"""What everything speaks: registry, types, errors, names, files.

Standard library at import, torch never. Imports nothing of the package.
"""
