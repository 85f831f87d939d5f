"""Proves a repair by running the code before and after it."""
