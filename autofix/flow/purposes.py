"""What the results of cuts are used as: weights, targets, leaves of their own, arrays."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.flow.cuts import Cut, Cuts
from autofix.flow.index import last_name
from autofix.flow.provenance import is_log_probability
from autofix.flow.values import EMPTY, UNSEEN, Graph, Value

_MEANT = frozenset({"detach", "detach_", "numpy", "new_tensor"})


@dataclass(eq=False)
class Purposes:
    """A cut is likely meant, or likely a mistake, by what is made of its result."""

    cuts: Cuts
    weights: frozenset[int] = EMPTY
    """Cuts whose results a log-probability is multiplied by: weights, by the way they are used."""
    own_weights: frozenset[int] = EMPTY
    """The same for what the very values that were cut are multiplied by."""
    of_leaves: set[int] = field(default_factory=set)
    """Cuts of leaves."""
    of_log_probabilities: frozenset[int] = EMPTY
    """Cuts of log-probabilities: their results still are some, with weights of their own."""
    differences: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory of a difference, the cuts of the constant in it."""
    arrays: dict[ast.Call, frozenset[int]] = field(default_factory=dict)
    """`x.numpy()` and `np.f(x)` calls, and the cuts on the way to x: see `read_as_array`."""
    silencers: dict[ast.AST, frozenset[int]] = field(default_factory=dict)
    """`x.requires_grad = True` statements (their targets), and the cuts on the way to x."""
    rewraps: dict[ast.AST, frozenset[int]] = field(default_factory=dict)
    """What makes a new leaf: calls, and the targets of `x.requires_grad = True`; with the cuts on
    the way to what they are given, and their own."""
    optimized: frozenset[int] = frozenset()
    """Cuts whose results are used as leaves: optimized, asked for their `.grad`, or given one."""
    hidden: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory of constants that are detached once more, the cuts that made them so: what
    makes a leaf of them did not mean to stop anything."""
    targets: frozenset[int] = frozenset()
    """Cuts on the way to the target of a loss function."""

    def subtracted(self, a: Value, b: Value, difference: Value) -> None:
        """A constant minus a live value: squared, it is the error of one to the other."""
        for constant, value in ((a, b), (b, a)):
            if constant.cuts and constant.graph == Graph.NO and value.graph == Graph.YES:
                self.differences.update(dict.fromkeys(difference.storage, constant.cuts))

    def distance(self, value: Value, ratio: bool = False) -> None:
        """`(target - output) ** 2`: what was cut is the target of a loss written by hand; likewise
        the old one of `exp(log_prob - old_log_prob)`, a `ratio`, if it was computed."""
        for storage in value.storage:
            cuts = self.differences.get(storage, EMPTY)
            self.targets |= cuts - self.of_leaves if ratio else cuts

    def multiplied(self, a: Value, b: Value) -> None:
        """Is one factor a weight of the other, a constant that most often is meant?"""
        for weight, value in ((a, b), (b, a)):
            if not weight.cuts or weight.graph == Graph.YES:
                continue
            if weight.graph == Graph.NO and value.cuts & self.of_log_probabilities:
                self.weights |= weight.cuts - self.of_log_probabilities
            elif weight.graph == Graph.NO and value.graph > Graph.NO and is_log_probability(value):
                self.weights |= weight.cuts
            elif value.leaf or (weight.graph == Graph.NO < value.graph and value.computed):
                memory = self.cuts.memory.with_parts(value.storage)
                self.own_weights |= {t for t in weight.cuts if memory & self.cuts.copied(t)}

    def is_weight(self, node: ast.AST) -> bool:
        return bool(self.cuts.tokens_of(node) & (self.weights | self.own_weights))

    def weighs_log_probability(self, node: ast.AST) -> bool:
        return bool(self.cuts.tokens_of(node) & self.weights)

    def is_silencer(self, value: Value, asked: bool) -> bool:
        """Would requiring grad of `value` only hide that its graph was cut by accident? (What was
        detached on purpose, to be a leaf of its own, is another matter: then the program is
        `asked` somewhere for the gradient of a leaf.)"""
        places = [self.cuts.places[token] for token in value.cuts]
        steps = self.cuts.steps
        if not asked and any(p.graph == Graph.YES and p.node not in steps for p in places):
            return True
        aside = self.cuts.regions | steps
        found = [p for p in places if p.node not in aside and not _is_setting(p)]
        nodes = [place.node for place in found]
        return any(isinstance(n, ast.Call) and last_name(n.func) not in _MEANT for n in nodes)

    def hide(self, value: Value) -> None:
        """A constant is detached once more. (A stop is right behind what a write has broken.)"""
        cuts = value.cuts - self.cuts.spoiled - UNSEEN
        for storage in value.storage if cuts else ():
            self.hidden[storage] = self.hidden.get(storage, EMPTY) | cuts

    def all_before(self, value: Value) -> frozenset[int]:
        """The cuts on the way to a value, those behind another stop included."""
        return value.cuts.union(*(self.hidden.get(s, EMPTY) for s in value.storage))

    def rewrapped(self, node: ast.AST, cuts: frozenset[int]) -> None:
        self.rewraps[node] = self.rewraps.get(node, EMPTY) | cuts

    def rewrapped_by(self, node: ast.AST) -> list[ast.AST]:
        tokens = self.cuts.tokens_of(node)
        return [wrapper for wrapper, cuts in self.rewraps.items() if cuts & tokens]

    def rewraps_what(self, wrapper: ast.AST) -> list[tuple[ast.AST, Graph]]:
        cuts = [self.cuts.places[token] for token in sorted(self.rewraps.get(wrapper, EMPTY))]
        return [(cut.node, cut.graph) for cut in cuts]

    def silenced_by(self, node: ast.AST) -> list[ast.AST]:
        tokens = self.cuts.tokens_of(node)
        return [target for target, cuts in self.silencers.items() if cuts & tokens]

    def read_as_array(self, call: ast.Call, value: Value) -> None:
        """A call takes a constant that would make it raise if it had its graph."""
        if value.cuts and value.graph == Graph.NO:
            self.arrays[call] = self.arrays.get(call, EMPTY) | value.cuts

    def read_as_arrays(self, node: ast.AST) -> list[ast.Call]:
        tokens = self.cuts.tokens_of(node)
        return [call for call, cuts in self.arrays.items() if cuts & tokens]

    def is_target_of(self, node: ast.AST) -> bool:
        return bool(self.cuts.tokens_of(node) & self.targets)

    def is_leaf_of(self, node: ast.AST) -> bool:
        """Is the result of the cut at `node` used as a leaf of its own?"""
        return bool(self.cuts.tokens_of(node) & self.optimized)


def _is_setting(place: Cut) -> bool:
    """`float(options.get("alpha", 0.2))`: nothing but the call says that there was a tensor."""
    match place.node:
        case ast.Call(func=ast.Name(id="float" | "int")):
            return place.graph < Graph.YES
    return False
