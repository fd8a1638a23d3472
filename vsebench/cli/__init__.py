"""The command line: arguments in app*.py, what a command does in its own file.

Imports everything.
"""
