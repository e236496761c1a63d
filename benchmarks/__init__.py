"""How fast the package is beside the same work done by other means: see README.md."""
