"""What the changed statements compute, and whether it stays as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from . import tensors
from .keeps import copied, same
from .tensors import MANY, Tensor

HITS = 3
Sighted = tuple[str, Tensor, Tensor, int, bool]
"""Name, tensor, copy, version, and whether it is data: something that needs no gradient."""


@dataclass
class Seen:
    """One time that a changed statement ran, with the tensors of its value."""

    digests: list[str]
    nodes: int
    """The size of the graph behind the value."""
    number: float | None
    """The value, where it is one number."""
    sums: list[tuple[float, float]] = field(default_factory=list)
    """Of each tensor its sum, and that of its sizes."""
    held: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """Tensors and copies of what they held."""
    overlap: int = 0
    """How many of them have elements that share one place in memory."""
    shared: int = 0
    """How many of them lie in the memory of something else."""
    others: list[Sighted] = field(default_factory=list)
    """Tensors in sight."""

    def changed(self) -> int:
        return sum(not same(tensor, kept) for tensor, kept in self.held)

    def written(self, *, unseen: bool) -> list[str]:
        """Tensors in sight that were changed; `unseen`: by a write that autograd did not see."""
        return [
            name
            for name, tensor, kept, version, _ in self.others
            if not same(tensor, kept) and (not unseen or tensors.version(tensor) == version)
        ]


@dataclass
class Meant:
    """A tensor that a changed statement means to give a `requires_grad`."""

    tensor: Tensor
    digest: str
    wanted: bool
    missed: bool
    """It did not."""
    turn: int
    """How many backward passes were over."""
    freed: int
    """How many tensors had been set to require grad."""


@dataclass
class Probes:
    """Called by the instrumented program; see `program.PROBE`."""

    hits: dict[int, int] = field(default_factory=dict)
    seen: dict[int, list[Seen]] = field(default_factory=dict)
    session: Any = None
    meant: list[Meant] = field(default_factory=list)
    heals: frozenset[int] = frozenset()
    """The changes whose values are to be copied."""
    healed: set[int] = field(default_factory=set)
    """Those of which one was."""
    returned: dict[str, list[Any]] = field(default_factory=dict)
    """What functions with changes have returned, call by call; see `handed`."""

    def __call__(
        self,
        number: int,
        value: Any = None,
        owner: Any = None,
        *wanted: Any,
        key: Any = None,
        heal: bool = False,
    ) -> Any:
        """`key`: the place in a container that was written to. `heal`: what comes back takes the
        place of the value."""
        if isinstance(value, dict) and key in value:
            value = value[key]
        self.hits[number] = self.hits.get(number, 0) + 1
        session = self.session
        if session is not None and session.reached is None:
            session.reached = len(session.events)
        if session is not None and session.mode.name == "plain" and not session.paused:
            session.paused = True
            try:
                self._note(number, value)
                self._mean(owner, wanted[0] if wanted else value)
                if heal and number in self.heals:
                    self.healed.add(number)
                    return copied(value)
            finally:
                session.paused = False
        return value

    def handed(self, name: str, value: Any) -> Any:
        """A function returns: how many backward passes were over, and what is in its result."""
        session, known = self.session, self.returned.setdefault(name, [])
        if session is None or session.mode.name != "plain" or session.paused or len(known) >= HITS:
            return value
        session.paused = True
        try:
            known.append([session.passes, tensors.forms(value)])
        finally:
            session.paused = False
        return value

    def _note(self, number: int, value: Any) -> None:
        known = self.seen.setdefault(number, [])
        if len(known) >= 2 * HITS:
            return
        found = [tensor for _, tensor in tensors.deep(value)][:MANY]
        # A change may span a header, which computes nothing, and what stands below.
        if sum(bool(one.held) == bool(found) for one in known) >= HITS:
            return
        found = [tensor for tensor in found if tensor.numel() <= 1_000_000]
        held = [(_memory(tensor), tensors.plain(tensor)) for tensor in found]
        self.session.keeps.note(number, held)
        digests = [tensors.digest(kept) for _, kept in held]
        nodes = max((tensors.nodes_behind(one)[0] for one in found), default=0)
        known.append(
            Seen(
                digests,
                nodes,
                _number(value),
                [tensors.sums(kept) for _, kept in held[:8]],
                held,
                sum(_overlaps(one) for one in found),
                _shared(self.session, value, found),
                _in_sight(self.session),
            )
        )

    def _mean(self, owner: Any, wanted: Any) -> None:
        """A flag was set, or was meant to be."""
        if not isinstance(wanted, bool) or len(self.meant) >= MANY:
            return
        module = isinstance(owner, torch.nn.Module)
        found = list(owner.parameters()) if module else [owner]
        for one in found:
            if isinstance(one, Tensor):
                missed = one.requires_grad != wanted
                turn, freed = self.session.passes, len(self.session.reads.freed)
                self.meant.append(Meant(one, tensors.digest(one), wanted, missed, turn, freed))

    def summary(self) -> dict[str, Any]:
        return {
            str(number): {
                "tensors": sum(len(one.held) for one in seen),
                "changed": sum(one.changed() for one in seen),
                "digests": [one.digests[:8] for one in _telling(seen)],
                "sums": [list(map(list, one.sums)) for one in _telling(seen)],
                "overlap": sum(one.overlap for one in seen),
                "shared": sum(one.shared for one in seen),
                "nodes": [one.nodes for one in _telling(seen)],
                "numbers": [one.number for one in _telling(seen)],
                "written": _names(seen, unseen=False),
                "data": sorted({one[0] for one in seen[0].others if one[4]}),
                "written_unseen": _names(seen, unseen=True),
                "fresh": self.session.keeps.fresh.get(number, 0),
                "stale": self.session.keeps.stale.get(number, 0),
            }
            for number, seen in self.seen.items()
        }


def _telling(seen: list[Seen]) -> list[Seen]:
    """The times that a value was computed; all where there never is one."""
    return [one for one in seen if one.held or one.number is not None] or seen


def _names(seen: list[Seen], *, unseen: bool) -> list[str]:
    return sorted({name for one in seen for name in one.written(unseen=unseen)})


def _number(value: Any) -> float | None:
    """The sum of the single numbers in a value."""
    found = [one for one in tensors.results(value) if isinstance(one, float) or one.numel() == 1]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return sum(float(tensors.plain(torch.as_tensor(one))) for one in found) if found else None


def _memory(tensor: Tensor) -> Tensor:
    """The same memory, without the graph: what is looked at must not be kept alive by that."""
    return tensor.detach() if tensors.node_of(tensor) is not None else tensor


def _overlaps(tensor: Tensor) -> bool:
    if tensor.layout != torch.strided:
        return False
    return any(step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape))


def _in_sight(session: Any) -> list[Sighted]:
    """The tensors that the program can name here."""
    return [
        (
            name,
            _memory(value),
            tensors.plain(value),
            tensors.version(value),
            not value.requires_grad,
        )
        for name, value in _named(session)
        if value.numel() <= 100_000
    ]


def _named(session: Any) -> list[tuple[str, Tensor]]:
    frame = session.user_frame()
    if frame is None:
        return []
    return [(name, value) for name, value in _scope(frame) if isinstance(value, Tensor)]


def _scope(frame: Any) -> list[tuple[str, Any]]:
    """Local names, and the attributes of `self`."""
    own = getattr(frame.f_locals.get("self"), "__dict__", {})
    scopes = [frame.f_locals, own, own.get("_modules") or {}]
    return [(str(name), value) for scope in scopes for name, value in list(scope.items())[:MANY]]


def _with_others(session: Any, value: torch.nn.Module, found: list[Tensor]) -> int:
    """How many tensors of a module belong to another one too, or how many if it has two names."""
    frame = session.user_frame()
    known = [held for _, held in _scope(frame)] if frame is not None else []
    if sum(held is value for held in known) > 1:
        return len(found)
    others = [one for one in known if isinstance(one, torch.nn.Module) and one is not value]
    apart = [one for one in others if not any(part is value for part in one.modules())]
    foreign = {id(tensor) for one in apart for tensor in one.state_dict(keep_vars=True).values()}
    return sum(id(tensor) in foreign for tensor in found)


def _shared(session: Any, value: Any, found: list[Tensor]) -> int:
    """How many tensors of a value share memory with a weight, a gradient or another name."""
    # A name for one weight is that weight; a list of weights was meant to keep them.
    own = {id(value)}
    held = [one for _, one in _named(session)]
    # One name is that of the value itself.
    again = sum(one is value for one in held) > 1
    names = {tensors.storage(one) for one in held if again or one is not value}
    weights = [leaf.tensor for leaf in session.leaves]
    for root in session.roots:
        weights.extend(root.state_dict(keep_vars=True).values())
    gradients = [one.grad for one in weights if one.grad is not None]
    places = {tensors.storage(one) for one in weights if id(one) not in own}
    places |= {tensors.storage(one) for one in gradients}
    places |= {tensors.storage(one.data) for one in weights if isinstance(value, dict)}
    if isinstance(value, torch.nn.Module):
        return _with_others(session, value, found)
    return sum(where in places | names for where in map(tensors.storage, found) if where)
