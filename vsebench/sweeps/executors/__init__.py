"""Executors: where the runs of a sweep are done. Each file registers one."""
