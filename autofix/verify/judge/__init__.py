"""From what was seen of two versions of a program to a verdict. Pure: no process, no torch."""
