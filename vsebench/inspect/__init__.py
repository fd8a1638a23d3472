"""Pages to look at: what a finished run finds and misses, and what it attends to."""
