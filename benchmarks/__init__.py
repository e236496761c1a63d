"""Measure the speed of the package and of other implementations: see docs/performance.md."""
