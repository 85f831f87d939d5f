"""The gradients that a program reads by itself, and the tensors that an optimizer did not take:
both say which tensor was meant to be a leaf."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import tensors
from .tensors import Tensor

MOST = 200
"""How many reads are noted."""
LARGE = 1_000_000
"""Tensors with more elements are left out."""


@dataclass
class Read:
    """The program asks a tensor for its `.grad`."""

    shape: list[int]
    digest: str
    line: int
    leaf: bool
    turn: int
    """How many backward passes were over."""
    deaf: bool
    """The tensor does not keep the gradient that reaches it."""
    found: bool
    """It has one, and not of zeros."""
    gradient: Tensor | None
    sums: list[float] = field(default_factory=list)
    used: bool = False
    """Something was computed from it."""


def sums(gradient: Tensor) -> list[float]:
    """Numbers by which gradients are told apart: the size, and two sums."""
    held = tensors.plain(gradient)
    weighted = held * tensors.weights(held.shape, 0)
    return [float(held.abs().sum()), float(held.sum()), float(weighted.sum())]


@dataclass
class Reads:
    """What one execution has asked for."""

    noted: list[Read] = field(default_factory=list)
    refused: list[tuple[list[int], str, str, str]] = field(default_factory=list)
    """Of what an optimizer did not take shapes, digests, types, and digests of the values as
    `float32` has them."""
    freed: list[tuple[Tensor, int]] = field(default_factory=list)
    """What was set to require grad, in order, and how many backward passes were over."""
    missed: dict[tuple[int, ...], set[str]] = field(default_factory=dict)
    """Tensors whose gradient another run was asked for in vain: digests by shape."""
    caught: dict[tuple[tuple[int, ...], str], list[list[float]]] = field(default_factory=dict)
    """The gradients that these got: several, where others have the same values."""
    _by_gradient: dict[int, Read] = field(default_factory=dict)

    def note(self, tensor: Tensor, found: Tensor | None, line: int, turn: int) -> None:
        if len(self.noted) >= MOST or tensor.numel() > LARGE:
            return
        leaf = tensors.is_leaf(tensor)
        read = Read(
            list(tensor.shape),
            tensors.digest(tensor),
            line,
            leaf,
            turn,
            not leaf and not tensor.retains_grad,
            found is not None and bool(tensors.plain(found).any()),
            found,
            sums(found) if found is not None else [],
        )
        self.noted.append(read)
        if found is not None:
            self._by_gradient[id(found)] = read

    def deaf(self) -> dict[tuple[int, ...], set[str]]:
        """What was asked in vain."""
        found: dict[tuple[int, ...], set[str]] = {}
        for read in self.noted:
            if read.deaf and not read.found and read.turn:
                found.setdefault(tuple(read.shape), set()).add(read.digest)
        return found

    def listen(self, made: Tensor) -> None:
        """Catch the gradient of a tensor that another run was asked for it."""
        shape = tuple(made.shape)
        digest = tensors.digest(made)
        if digest in self.missed[shape] and tensors.node_of(made) is not None:

            def catch(gradient: Tensor) -> None:
                held = self.caught.setdefault((shape, digest), [])
                if len(held) < MOST:
                    held.append(sums(gradient))

            made.register_hook(catch)  # type: ignore[no-untyped-call]

    def set_flag(self, tensor: Tensor, value: Any, turn: int) -> None:
        if value and len(self.freed) < 20 * MOST:
            self.freed.append((tensor, turn))

    def take(self, given: Iterable[Tensor]) -> None:
        """Something is computed from these."""
        for one in given if self._by_gradient else ():
            read = self._by_gradient.get(id(one))
            if read is not None:
                read.used = True

    def refuse(self, parameters: Any) -> None:
        """An optimizer was given these, and raised."""
        for one in tensors.inside(parameters):
            if not tensors.is_leaf(one) and one.numel() <= LARGE:
                dtype = str(one.dtype)[6:]
                told = tensors.digest(one), dtype, tensors.single(one)
                self.refused.append((list(one.shape), *told))

    def told(self) -> dict[str, Any]:
        return {
            "reads": [
                {
                    "of": [read.shape, read.digest],
                    "line": read.line,
                    "leaf": read.leaf,
                    "turn": read.turn,
                    "deaf": read.deaf,
                    "found": read.found,
                    "used": read.used,
                    "sums": read.sums,
                }
                for read in self.noted
            ],
            "caught": [
                [[list(shape), digest], told] for (shape, digest), told in self.caught.items()
            ],
            "refused": [list(one) for one in self.refused],
        }
