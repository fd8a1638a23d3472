"""Image encoders: pixels or features become tokens.

Imports core, ops and components/encoder, which the three kinds of encoders share.
"""
