"""The same work by other means, each written as well as we could."""
