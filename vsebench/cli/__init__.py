"""The command line: a file for each command, whose function's signature is the only definition of its options.

Imports everything, but not before a command is used.
"""
