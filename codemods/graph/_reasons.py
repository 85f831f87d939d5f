"""What rules about cut graphs say when they do not rewrite, or only show."""

from __future__ import annotations

CARRIED = (
    "it is handed on from one turn of a loop to the next, and every turn has a backward pass of "
    "its own: without the cut it would run through the turn before again"
)
REPEATED = "it is made once and used by every turn of a training loop: make it inside"
WEIGHT = "it is the weight of log-probabilities or of the values themselves: the cut may be meant"
TARGET = "it is the target of a loss: the stop may be meant"
IDLE = (
    "the layers that compute it are used for nothing else, so they never learn: if that is meant, "
    "`requires_grad_(False)` says so"
)
ABROAD = "another file adds it to its loss, and takes it for a number: give it the tensor there"
