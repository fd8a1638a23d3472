"""What is done with results: checked, made again, merged, compared, fetched."""
