"""Rendered scenes of one to three garments, whose captions speak of one of them: the second edition of MMFRB."""
