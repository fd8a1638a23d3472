"""Late fusion of finished runs: weighted sums of what they score."""
