"""What image, text and audio encoders share: recurrent networks, CLIP's towers, precomputed features.

Imports core and ops.
"""
