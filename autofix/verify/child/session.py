"""What is seen during one execution of the user's program: leaves, backward passes, exits."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import torch

from . import tensors
from .dtypes import Dtypes
from .event import INNER, Event
from .keeps import Keeps
from .leaf import Leaf
from .means import Means
from .mode import Mode
from .plan import Plan
from .reads import Reads
from .tensors import Tensor
from .training import Training, empty
from .veiled import Veiled

EVENTS = 4
"""How many backward passes of a program are compared."""
LOOKS = range(1, 9)
"""After how many passes it is counted what graphs the program holds on to."""
MOST = 3 * EVENTS
"""The same with the gradients that are part of a loss."""
LATE = 40
"""So many passes more are run until the change is reached."""
STOPS = 50
"""Of how many stops it is noted what they keep from a gradient."""
TAPE = 20_000_000
"""How many numbers the tape of one execution may hold."""


class Stop(BaseException):
    """Enough was seen. Not an `Exception`, so that user code does not swallow it."""


@dataclass(frozen=True)
class Place:
    """Where in the user's program something happens; columns are 0 where Python has none."""

    line: int
    column: int
    end_line: int
    end_column: int


class Session:
    """Everything about one execution. The hooks and the watch write into it."""

    def __init__(self, path: str, mode: Mode, plan: Plan) -> None:
        self.path = path
        self.homes: tuple[str, ...] = ()
        """Folders of the program's other files."""
        self.mode = mode
        self.plan = plan
        self.leaves: list[Leaf] = []
        self.by_id: dict[int, Leaf] = {}
        self.counts: dict[tuple[Any, ...], int] = {}
        self.peeked: Leaf | None = None
        """The last one that only `.data` has been asked of."""
        self.events: list[Event] = []
        self.exits: dict[tuple[int, str], int] = {}
        self.live_exits: dict[tuple[int, str], int] = {}
        self.direct_exits = 0
        """How many of these stand in the changed expressions themselves."""
        self.stops: list[tuple[int, set[int]]] = []
        """The lines of these, and the leaves behind each; the first ones."""
        self.tape: list[Any | None] = []
        self.taped = 0
        self.position = 0
        self.left_out = 0
        self.diverged: str | None = None
        self.stack: list[torch.nn.Module] = []
        self.roots: list[torch.nn.Module] = []
        self.made_inside: list[Tensor] = []
        self.severed: dict[int, Tensor] = {}
        """Tensors without a graph that were computed from some that have one."""
        self.optimizers: list[Any] = []
        self.options: dict[int, dict[str, float]] = {}
        """The numbers with which an optimizer has begun to train a tensor, by its id."""
        self.made_with: list[list[dict[str, float]]] = []
        """The numbers of the groups of each optimizer, when it was made, or was to be."""
        self.restarted = 0
        """How many tensors were given to an optimizer though another one had been training them,
        and what that one had learnt of them is lost."""
        self.training = Training()
        self.steps = 0
        self.searching = False
        """A step calls a closure that computes the loss as often as it likes."""
        self.stepped: set[int] = set()
        """What an optimizer has taken a step with, by its id."""
        self.idle_steps = 0
        self.flat_steps = 0
        """How many of these came after a pass whose gradient was zero."""
        self.repeated = 0
        """How often a tensor that was written to was joined with itself."""
        self.inner_writes = 0
        """How often a forward pass wrote into a weight where autograd does not see it."""
        self.graph: set[Any] = set()
        """The nodes of the graph of the pass before."""
        self.kept: list[int] = []
        """The sizes of all graphs that are held, at some passes."""
        self.opaque: set[str] = set()
        self.reads = Reads()
        self.keeps = Keeps()
        self.veiled = Veiled()
        self.means = Means()
        self.dtypes = Dtypes()
        self.inside_function = 0
        self.stopped_in: list[Any] = []
        """The code of the program that has switched gradients off, from the outside in."""
        self.turns = 0
        self.reached: int | None = None
        """How many passes were over when a changed statement ran first."""
        self.paused = True

    # Leaves -------------------------------------------------------------------------------

    def use(self, tensor: Tensor) -> None:
        """A differentiable operation takes a leaf; the first time, it is moved if it has to be."""
        known = self.by_id.get(id(tensor))
        if known is not None and known.module is None and self.stack:
            known.module = type(self.stack[0]).__name__
        if known is not None or not tensors.is_float(tensor):
            return
        frame = self.user_frame()
        shape = tuple(tensor.shape)
        base = (shape, tensors.digest(tensor))
        number = self.counts.get(base, 0)
        self.counts[base] = number + 1
        value = tensors.plain(tensor)
        leaf = Leaf(
            tensor,
            len(self.leaves),
            (*base, number),
            tensors.name_in(frame, tensor),
            frame.f_lineno if frame else 0,
            type(self.stack[0]).__name__ if self.stack else None,
            value,
            tensors.sums(value),
            tensors.single(value) if tensor.dtype is torch.float64 else base[1],
            derived=id(tensor) in self.severed,
            turn=self.turns + self.passes,
        )
        self.leaves.append(leaf)
        self.by_id[id(tensor)] = leaf
        if self.mode.sign and self.mode.direction is not None:
            shift = self.plan.shift(leaf.index, value, self.mode)
            if shift is not None:
                # Not in place: another leaf may lie in the same memory, and has a shift of its own.
                with torch.no_grad():
                    tensor.data = tensor.data + shift.to(tensor.device, tensor.dtype)

    def peek(self, tensor: Tensor) -> None:
        """The program asks a leaf for its `.data`: to read it, or to write it anew."""
        count = len(self.leaves)
        self.use(tensor)
        self.peeked = self.leaves[-1] if len(self.leaves) > count else self.peeked

    def overwrite(self, target: Tensor) -> None:
        """What is written anew as a whole begins with that, if nothing has been computed of it."""
        leaf = self.peeked
        if leaf is None or leaf is not self.leaves[-1] or target.numel() != leaf.tensor.numel():
            return
        if tensors.storage(target) == tensors.storage(leaf.tensor):
            self.leaves.pop()
            del self.by_id[id(leaf.tensor)]
            self.counts[leaf.key[:2]] -= 1
            self.peeked = None

    def begin(self, leaf: Tensor) -> None:
        """A leaf gets its first values from something that has a gradient, outside of any forward
        pass: they are its own, and do not move with what they were taken from."""
        if self.mode.name == "base":
            self.tape.append(tensors.plain(leaf))
        elif self.mode.name == "shifted" and self.position < len(self.tape):
            kept = self.tape[self.position]
            self.position += 1
            if self.mode.live == "all":
                return
            if isinstance(kept, Tensor) and kept.shape == leaf.shape:
                leaf.data = kept.to(leaf.dtype)

    def stop(self, line: int, given: list[Tensor]) -> None:
        """A changed line lets no gradient through to the leaves of what it takes."""
        if len(self.stops) < STOPS:
            with torch.no_grad():
                ends = [end for one in given for end in tensors.ends(one)]
            self.stops.append((line, {id(one) for one in ends}))

    # Events -------------------------------------------------------------------------------

    def event(self, kind: str, root: Any, frame: Any = None) -> Event:
        """Note a root of a backward pass; its value is what finite differences are taken of."""
        frame = frame or self.user_frame()
        roots = [root] if isinstance(root, Tensor) else list(tensors.inside(root))
        nodes = 0
        found: list[Tensor] = []
        graph: set[Any] = set()
        for one in roots:
            # Each by itself, as what two roots share is part of the size of both.
            own: set[Any] = set()
            size, ends = tensors.nodes_behind(one, seen=own)
            nodes, found = max(nodes, size), [*found, *ends]
            graph |= own
        for leaf in found:
            self.use(leaf)
        value = float(sum(tensors.plain(one).sum() for one in roots))
        return Event(
            kind,
            frame.f_lineno if frame else 0,
            value,
            list(roots[0].shape) if roots else [],
            any(one.requires_grad for one in roots),
            str(roots[0].dtype)[6:] if roots else "",
            nodes,
            self._outdated(graph),
            self.left_out,
        )

    def _outdated(self, graph: set[Any]) -> bool:
        """Whether a pass goes again through what was computed from leaves that have moved since.
        Only such nodes count that lie right behind a leaf: what is shared may hold others."""
        if self.mode.name != "plain":
            return False
        self.account()
        again = graph & self.graph
        self.graph = graph
        moved = {id(leaf.tensor) for leaf in self.leaves if leaf.moves > leaf.moves_then}
        for leaf in self.leaves:
            leaf.moves_then = leaf.moves
        return any(
            id(getattr(following, "variable", None)) in moved
            for node in again
            for following, _ in node.next_functions
        )

    def finish_event(self, event: Event) -> None:
        self.events.append(event)
        if self.mode.name == "plain" and not self.mode.brief and len(self.events) in LOOKS:
            self.kept.append(tensors.kept_nodes())
        brief = self.mode.frozen or self.mode.brief
        # Those that come before the change say nothing of it.
        first = min(self.reached if self.reached is not None else len(self.events), LATE)
        if brief and (self.passes >= first + EVENTS or len(self.events) >= first + MOST):
            raise Stop

    @property
    def passes(self) -> int:
        """How many backward passes are over, but for those whose gradient is part of a loss."""
        return sum(event.kind != INNER for event in self.events)

    # The use of gradients -----------------------------------------------------------------

    def account(self) -> None:
        """What became of the gradients since the last look: used by a step, or thrown away."""
        for leaf in self.leaves:
            if leaf.changed():
                leaf.moved = True
                leaf.moves += 1
                leaf.spend()
            if empty(leaf.tensor):
                leaf.clear(searching=self.searching)

    def consumed(self, tensors_: list[Tensor]) -> None:
        """An optimizer takes a step with the gradients that these have."""
        held = {id(tensor) for tensor in tensors_}
        self.stepped |= held
        for leaf in self.leaves:
            if id(leaf.tensor) in held:
                leaf.spend()
            else:
                leaf.passed = leaf.passed or leaf.state == "pending"

    def received(self, leaf: Leaf, contribution: Tensor, event: Event) -> None:
        if not bool(contribution.abs().sum() > 0):
            return
        leaf.mixed = leaf.mixed or leaf.state == "used" or leaf.passed
        leaf.state, leaf.read = "pending", False
        leaf.pending.append(event)
        leaf.gradient = True

    # Places -------------------------------------------------------------------------------

    def is_own(self, path: str) -> bool:
        """Whether a file belongs to the program."""
        return path == self.path or (path.startswith(self.homes) and "-packages/" not in path)

    def user_frame(self) -> Any:
        """The innermost frame of the program under test."""
        frame: Any = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.path:
            frame = frame.f_back
        return frame
