"""Runs each job in a process of its own that can harm nothing: standard library only."""
