"""The SQL that is written by hand, each statement under a name and every value bound."""
