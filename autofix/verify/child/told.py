"""An execution as plain data, for the side that judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from . import tensors
from .drive import Execution
from .event import Event
from .leaf import Leaf
from .optimizing import parameters_of
from .probes import Meant
from .program import Program
from .session import Session
from .training import torn

_PLAIN = (float, int, torch.Tensor, list, tuple, dict)
_LIKE = ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like")


def plain(run: Execution, program: Program) -> dict[str, Any]:
    session = run.session
    session.account()
    listed = {id(p): name for root in session.roots for name, p in root.named_parameters()}
    has = held(run)
    known = names(run)
    inside = {id(tensor) for tensor in session.made_inside}
    attributes = {id(tensor) for _, tensor in _attributes(session.roots)}
    entries = {id(tensor): name for name, tensor in _entries(session.roots)}
    late = _late(session)
    clocked = program.clocked(run.namespace)
    return {
        "mode": "plain",
        "seed": session.mode.seed,
        "apart": session.mode.apart,
        "healed": session.mode.healed,
        "whole": run.probes.heals <= run.probes.healed,
        "printed": "" if clocked else run.printed,
        "raised": run.raised,
        "bound": {} if clocked else _bound(run.namespace),
        "events": [event(one) for one in session.events[:200]],
        "leaves": [
            {
                **identity(leaf, known),
                "gradient": leaf.gradient,
                "moved": leaf.moved,
                "stale": leaf.stale,
                "lost": leaf.lost,
                "listed": id(leaf.tensor) in listed,
                "held": id(leaf.tensor) in has,
                "parameter": isinstance(leaf.tensor, torch.nn.Parameter),
                "attribute": id(leaf.tensor) in attributes,
                "entry": entries.get(id(leaf.tensor), ""),
                "stepped": id(leaf.tensor) in session.stepped,
                "inside": id(leaf.tensor) in inside,
                "options": session.options.get(id(leaf.tensor), {}),
                "late": id(leaf.tensor) in late,
                "dtype": str(leaf.tensor.dtype)[6:],
                "start": leaf.start,
                "single": leaf.single,
                "end": tensors.sums(leaf.value),
            }
            for leaf in session.leaves[:2000]
        ],
        "optimizers": [len(parameters_of(opt)) for opt in session.optimizers],
        "unheld": _unheld(run, has),
        "steps": session.steps,
        "restarted": session.restarted,
        "adrift": session.training.adrift,
        "clips": [session.training.clips, session.training.idle_clips],
        "kinds": _kinds(session.roots),
        "late_clips": max((one.late_clips for one in session.leaves), default=0),
        "settings": sorted(session.training.settings),
        "made": session.training.made[:500],
        "torn": torn(session.events),
        "barren": [
            [list(one.shape), tensors.digest(one), isinstance(one, torch.nn.Parameter)]
            for one in session.training.barren[:500]
            if not one.requires_grad
        ],
        "made_with": session.made_with,
        "made_changed": session.training.changed,
        "repeated": session.repeated,
        "inner_writes": session.inner_writes,
        "veiled": session.veiled.writes,
        "mixed": session.veiled.mixed,
        "means": session.means.taken,
        "dtypes": session.dtypes.told(),
        "doubled": session.training.doubled,
        "kept": session.kept,
        "idle_steps": session.idle_steps,
        "flat_steps": session.flat_steps,
        "begun": session.reached,
        "hits": {str(number): count for number, count in run.probes.hits.items()},
        "probes": run.probes.summary(),
        "outputs": run.outputs,
        "returned": run.returned,
        "handed": run.probes.returned,
        "written": run.written,
        "frozen": _frozen(session.roots, has),
        "trainable": _trainable(run.modules),
        "meant": _meant(run, known),
        "warnings": run.warnings,
        "exits": exits(run),
        **session.reads.told(),
        "skipped": program.skipped,
    }


def _bound(namespace: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What the names of a program hold in the end, where that is numbers, or made of them."""
    return {
        name: tensors.forms(value)
        for name, value in namespace.items()
        if isinstance(value, _PLAIN) and not name.startswith("_")
    }


def held(run: Execution) -> set[int]:
    """What the optimizers have, by its id."""
    return {id(p) for opt in run.session.optimizers for p in parameters_of(opt)}


def event(seen: Event) -> dict[str, Any]:
    return {
        "kind": seen.kind,
        "line": seen.line,
        "value": seen.value,
        "shape": seen.shape,
        "dtype": seen.dtype,
        "outdated": seen.outdated,
        "left_out": seen.left_out,
        "requires_grad": seen.requires_grad,
        "nodes": seen.nodes,
        "raised": seen.raised,
        "reached": sorted(
            index for index, grad in seen.gradients.items() if bool(grad.abs().sum() > 0)
        ),
    }


def identity(leaf: Leaf, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "key": [list(leaf.key[0]), *leaf.key[1:]],
        "name": names.get(id(leaf.tensor)) or leaf.name,
        "line": leaf.line,
        "module": leaf.module,
        "turn": leaf.turn,
    }


def names(run: Execution) -> dict[int, str]:
    """Names of leaves as a user would write them."""
    found = {id(tensor): name for name, tensor in _attributes(run.session.roots)}
    for root in run.session.roots:
        for name, parameter in root.named_parameters():
            found[id(parameter)] = name
    for name, value in run.namespace.items():
        if isinstance(value, torch.Tensor):
            found[id(value)] = name
    return found


def _late(session: Session) -> set[int]:
    """Parameters that are younger than the optimizer of others of their module, and not in it."""
    found: set[int] = set()
    for root in session.roots:
        own = {id(one): session.training.born.get(id(one), 0) for one in root.parameters()}
        for number, optimizer in enumerate(session.optimizers):
            has = {id(one) for one in parameters_of(optimizer)}
            if has & own.keys():
                found |= {one for one, born in own.items() if born > number and one not in has}
    return found


def _unheld(run: Execution, has: set[int]) -> list[str]:
    """Parameters of a returned module that no optimizer has, if there is one."""
    if not run.session.optimizers:
        return []
    return [
        name
        for module in run.modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and id(parameter) not in has
    ][:100]


def _frozen(roots: Sequence[torch.nn.Module], has: set[int]) -> list[Any]:
    """Parameters of the modules in use that are not to be trained, as far as their values tell
    them from others: all scales start with ones; and whether an optimizer has them."""
    return [
        [list(parameter.shape), tensors.digest(parameter), id(parameter) in has]
        for root in roots
        for parameter in root.parameters()
        if not parameter.requires_grad and bool((parameter != parameter.flatten()[:1]).any())
    ][:500]


def _trainable(modules: Sequence[torch.nn.Module]) -> list[str]:
    return [
        name
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    ][:500]


def _meant(run: Execution, known: Mapping[int, str]) -> list[dict[str, Any]]:
    """Tensors that were to be frozen and were not; for each what it was to be last."""
    own = {id(p): name for module in run.modules for name, p in module.named_parameters()}
    last = {id(one.tensor): one for one in run.probes.meant}
    frozen = {
        id(one.tensor): one for one in reversed(run.probes.meant) if one.missed and not one.wanted
    }
    return [
        {
            "of": _of(run, one),
            "turn": one.turn,
            "name": own.get(where) or known.get(where) or "",
            "last": last[where].wanted or any(True for _ in _freed(run, last[where])),
        }
        for where, one in frozen.items()
        if one.turn not in _freed(run, one)
    ]


def _of(run: Execution, meant: Meant) -> list[Any]:
    """What the leaf is known by, if it has been one before its flag was set."""
    leaf = run.session.by_id.get(id(meant.tensor))
    return [list(leaf.key[0]), leaf.key[1]] if leaf else [list(meant.tensor.shape), meant.digest]


def _freed(run: Execution, meant: Meant) -> Iterator[int]:
    """When it was to be trained again by a later statement, in backward passes."""
    found = run.session.reads.freed[meant.freed :]
    return (turn for tensor, turn in found if tensor is meant.tensor)


def _attributes(roots: Sequence[torch.nn.Module]) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that modules hold as plain attributes or as buffers: no optimizer is given these."""
    for root in roots:
        for module in root.modules():
            for name, value in {**vars(module), **module._buffers}.items():
                if isinstance(value, torch.Tensor):
                    yield f"self.{name}", value


def _entries(roots: Sequence[torch.nn.Module]) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors in plain containers of modules, by the names that a container of torch gives them."""
    for root in roots:
        for module in root.modules():
            for name, value in vars(module).items():
                held = dict.items(value) if isinstance(value, dict) else ()
                for key, one in enumerate(value) if isinstance(value, (list, tuple)) else held:
                    if isinstance(one, torch.Tensor) and not name.startswith("_"):
                        yield f"{name}.{key}", one


def _kinds(roots: Sequence[torch.nn.Module]) -> dict[str, list[bool]]:
    """Of the attributes of each class that hold tensors whether they are Parameters: of all its
    objects, of none or of some."""
    kinds: dict[str, set[bool]] = {}
    for module in (one for root in roots for one in root.modules()):
        own = [(name, False) for name, one in vars(module).items() if type(one) is torch.Tensor]
        held = [(name, True) for name, one in module._parameters.items() if one is not None]
        for name, kind in [*own, *held]:
            kinds.setdefault(f"{type(module).__name__}.{name}", set()).add(kind)
    return {where: sorted(found) for where, found in kinds.items()}


def exits(run: Execution) -> list[Any]:
    told = [(line, name, count) for (line, name), count in run.session.exits.items()]
    return [list(one) for one in sorted(told) if one[1] not in _LIKE][:200]


def stops(run: Execution) -> list[Any]:
    """The changed lines that stop a gradient; for each the leaves that it keeps it from."""
    known = {id(leaf.tensor): leaf for leaf in run.session.leaves}
    told = (
        (line, [known[one].key for one in found if one in known])
        for line, found in run.session.stops
    )
    return [[line, [[list(key[0]), *key[1:]] for key in keys]] for line, keys in told if keys]
