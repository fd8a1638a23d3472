"""What stored files must be: those that a run, a board and a gallery leave behind and that are read back.

They may be damaged, written by another version, or come from anybody. They are checked here as a whole, before anything
is made of them, so that what reads them needs no checks of its own. Values pass as they are: nothing is converted.
Imports only errors, names, types and the form of experiment files.
"""
