"""Measures the speed of the package beside other implementations: see docs/performance.md."""
