"""Reads off the source what a function does with its parameters: standard library only.

The parent side uses it as well (`autofix.verify.hints`).
"""
