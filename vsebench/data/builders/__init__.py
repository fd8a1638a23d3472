"""Dataset builders: one file for each public dataset, from its source to a dataset file."""
