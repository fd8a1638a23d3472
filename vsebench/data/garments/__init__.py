"""Rendered garments: the embedded edition of MMFRB."""
