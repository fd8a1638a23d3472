"""Makes the small encoders that ship with the package from generated scenes: ``python -m vsebench.engine.embedded``.

They have seen scenes of other seeds than any dataset's. ``provenance.json`` says how they were made and what they
reach.
"""
