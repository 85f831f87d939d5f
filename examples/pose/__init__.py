"""Recover the shape and the motion of a body from where its joints are seen."""
