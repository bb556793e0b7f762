"""What makes the figures in the README. Run with `make bench`, or one by one with `python -m benchmarks.NAME`."""
