"""The shapes that a module takes, read off its layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from .vocabulary import Spec, tensor

nn = torch.nn
if TYPE_CHECKING:
    FactsOf = Callable[[Any], dict[str, Any] | None]
_DEPTH = 4
_SIDE = 16


def inputs_of(module: Any, facts_of: FactsOf, depth: int = 0) -> dict[int, Spec]:
    """Specs of the positional inputs of a module that can be told, by position."""
    own = _layer(module)
    if own is not None:
        return dict(enumerate(own))
    if depth >= _DEPTH or not isinstance(module, nn.Module):
        return {}
    if isinstance(module, (nn.Sequential, nn.ModuleList)):
        for child in module:
            found = inputs_of(child, facts_of, depth + 1)
            if found:
                return found
        return {}
    facts = facts_of(type(module).forward)
    if facts is None:
        return {}
    names = list(facts["parameters"])
    by_place = linked(module, facts, facts_of, depth + 1)
    places = {places[0][1]: spec for places, spec, _ in by_place if len(places) == 1}
    return {names.index(n): spec for n, spec in places.items() if n in names}


def linked(
    owner: Any, facts: dict[str, Any], facts_of: FactsOf, depth: int = 0
) -> list[tuple[list[list[Any]], Spec, bool]]:
    """What the layers of `owner` ask of the parameters that its method passes to them.

    The first layer in source order that gets a parameter itself decides; else the first that
    gets something computed from it.
    """
    found: dict[str, tuple[list[list[Any]], Spec, bool]] = {}
    for order in (True, False):
        for link in facts["links"]:
            if link["callee"][0][1] != "self":
                continue
            layer = reached(owner, link["callee"][1:])
            wanted = inputs_of(layer, facts_of, depth) if layer is not None else {}
            for position, given in enumerate(link["args"]):
                if link["direct"][position] != order or position not in wanted:
                    continue
                for place, spec in _spread(given, wanted[position]):
                    found.setdefault(str(place), (place, spec, order))
    return list(found.values())


def _spread(given: Any, spec: Spec) -> list[tuple[list[list[Any]], Spec]]:
    """`(h, c)` of a tuple: each of them by itself."""
    if isinstance(given, dict):
        items = spec.get("items", [])
        parts = given["tuple"] if len(items) == len(given["tuple"]) else []
        return [pair for n, part in enumerate(parts) for pair in _spread(part, items[n])]
    return [(given, spec)] if given and given[0][1] != "self" else []


def reached(owner: Any, steps: list[list[Any]]) -> Any:
    """The object that `.encoder.layers[0]` is."""
    for kind, key in steps:
        try:
            if kind == "attr":
                owner = getattr(owner, key)
            elif kind == "each":
                owner = next(iter(owner))
            else:
                owner = owner[key]
        except Exception:
            return None
    return owner


def _layer(module: Any) -> list[Spec] | None:
    """The inputs of a layer of torch itself."""
    if isinstance(module, nn.Bilinear):
        return [tensor([4, module.in1_features]), tensor([4, module.in2_features])]
    if isinstance(module, nn.Linear):
        return [tensor([4, module.in_features])]
    if isinstance(module, nn.modules.conv._ConvNd):
        rank = len(module.kernel_size)
        side = max(_SIDE if rank == 2 else 8, *(2 * k for k in module.kernel_size))
        return [tensor([2, module.in_channels, *[side] * rank])]
    if isinstance(module, (nn.EmbeddingBag, nn.Embedding)):
        return [tensor([4, 5], "long", below=module.num_embeddings)]
    if isinstance(module, nn.RNNBase):
        return _recurrent(module)
    if isinstance(module, nn.modules.rnn.RNNCellBase):
        state = tensor([4, module.hidden_size])
        pair: Spec = {"is": "tuple", "items": [state, state]}
        return [
            tensor([4, module.input_size]),
            pair if isinstance(module, nn.LSTMCell) else state,
        ]
    if isinstance(module, nn.LayerNorm):
        return [tensor([4, *([5] if len(module.normalized_shape) == 1 else []),
                        *module.normalized_shape])]  # fmt: skip
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return _normed(module)
    if isinstance(module, nn.GroupNorm):
        return [tensor([2, module.num_channels, 8, 8])]
    if isinstance(module, nn.MultiheadAttention):
        return [tensor([4, 5, module.embed_dim])] * 3
    if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        return [tensor([4, 5, module.self_attn.embed_dim])] * 2
    if isinstance(module, (nn.TransformerEncoder, nn.TransformerDecoder)):
        return _layer(module.layers[0])
    return None


def _recurrent(module: Any) -> list[Spec]:
    batch, steps = 2, 5
    first = [batch, steps] if module.batch_first else [steps, batch]
    layers = module.num_layers * (2 if module.bidirectional else 1)
    state = tensor([layers, batch, module.hidden_size])
    pair: Spec = {"is": "tuple", "items": [state, state]}
    return [
        tensor([*first, module.input_size]),
        pair if isinstance(module, nn.LSTM) else state,
    ]


def _normed(module: Any) -> list[Spec]:
    rank = {nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}.get(type(module), 0)
    return [tensor([4, module.num_features, *[8] * rank])]
