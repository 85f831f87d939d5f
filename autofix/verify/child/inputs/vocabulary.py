"""What the name of a parameter suggests that it takes. Pure data and string work: no torch.

A suggestion is a *sketch*: a spec as `recipes.py` builds it, except that the shape of a tensor
may still be open (`"shape": None`) or be written in symbols (`["N", "D"]`).
"""

from __future__ import annotations

import re
from typing import Any

Spec = dict[str, Any]


def tensor(
    shape: list[Any] | None = None, dtype: str = "float", values: str = "unit", below: int = 2
) -> Spec:
    spec: Spec = {"is": "tensor", "shape": shape, "dtype": dtype, "values": values}
    if dtype == "long":
        spec["below"] = below
    return spec


def value(content: Any) -> Spec:
    return {"is": "value", "value": content}


def named(path: str) -> Spec:
    """An object of torch, or of the program, as it is."""
    return {"is": "name", "of": path}


def made(path: str, *arguments: Any, **keywords: Any) -> Spec:
    """What calling such an object gives."""
    return {
        "is": "make",
        "of": path,
        "args": [a if isinstance(a, dict) else value(a) for a in arguments],
        "kwargs": {k: v if isinstance(v, dict) else value(v) for k, v in keywords.items()},
    }


def model() -> Spec:
    return {"is": "model", "sizes": [3, 3]}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODELS = _words(
    "model net network module policy actor critic encoder decoder generator discriminator teacher "
    "student backbone netg netd policynet valuenet qnet ema classifier regressor dynamics nn "
    "predictor learner mlp rnn lstm unet vae autoencoder transformer"
)
OPTIMIZERS = _words("optimizer optimiser optim optimizers opt optg optd")
SCHEDULERS = _words("scheduler sched")
LOADERS = _words("loader dataloader trainloader testloader batches")
CONFIGS = _words("args cfg config hparams hps options conf configs opts flags arguments")
LOSSES = _words("criterion objective lossfn lossfunc criterions")
ACTIVATIONS = _words("activation act nonlinearity actfn activationfn")
FUNCTIONS = _words("fn func function f callback callable closure transform forwardfn energy")
SINKS = _words("logger writer log progress pbar tracker meter wandb summarywriter tensorboard")
ENVIRONMENTS = _words("env environment envs simulator gym")
IMAGES = _words("img image images imgs pixels picture photo")
MATRICES = _words("matrix mat matrices cov covariance precision rot rotation homography jacobian")
COUNTS = _words(
    "epochs epoch steps iters iterations iter rounds repeats episodes trials updates maxiter "
    "nsteps niter nepochs sweeps generations timesteps maxiters numiter"
)
LABELS = _words(
    "label labels classes classid actions action token tokens ids idx index indices words inputids "
    "inds index_ tgt_ids lengths ranks"
)
MASKS = _words("mask masks")
ROWS = _words(
    "reward rewards done dones terminal terminals returns advantages advantage logprobs logprob "
    "oldlogprobs oldlogprob logp oldlogp"
)
FLAGS = _words(
    "verbose training train bias debug deterministic inplace keepdim batchfirst bidirectional "
    "affine residual normalize normalized hard render shuffle plot causal flag enabled"
)
_NUMBERS: dict[str, Any] = {
    "lr": 0.1, "alpha": 0.5, "gamma": 0.9, "beta": 0.5, "eps": 1e-6, "epsilon": 1e-2, "tau": 0.5,
    "temperature": 0.7, "temp": 0.7, "momentum": 0.9, "decay": 0.5, "margin": 1.0, "dt": 0.1,
    "lambda": 0.5, "lam": 0.5, "lambd": 0.5, "lmbda": 0.5, "delta": 0.5, "rate": 0.1,
    "discount": 0.9, "clip": 0.2, "threshold": 0.5, "ratio": 0.5, "coef": 0.5, "coeff": 0.5,
    "factor": 0.5, "smoothing": 0.1, "std": 0.5, "stddev": 0.5, "tol": 1e-3, "tolerance": 1e-3,
    "dropout": 0.0, "drop": 0.0, "slope": 0.2, "gain": 1.0, "regularization": 0.1, "reg": 0.1,
    "prob": 0.5, "strength": 0.5, "step_size": 0.1, "stepsize": 0.1, "noise": 0.1,
    "wd": 0.01, "power": 2.0, "k": 2, "n": 4, "m": 3, "d": 3, "seed": 0, "heads": 2, "head": 2,
    "layers": 3, "depth": 3, "blocks": 2, "kernel": 3, "stride": 1, "padding": 1, "pad": 1,
    "dilation": 1, "groups": 1, "vocab": 10, "classes": 3, "actions": 2, "batch": 4, "patch": 4,
    "degree": 2, "order": 2, "rank": 2, "window": 3, "capacity": 16, "experts": 3,
    "members": 3, "ensemble": 3, "way": 3, "shot": 2, "patience": 2, "accum": 2,
    "accumulation": 2, "components": 2,
    "mixtures": 2, "height": 8, "width": 8, "bins": 4, "clusters": 2, "samples": 4, "points": 4,
    "length": 5, "len": 5, "qubits": 2, "embeddings": 10, "tokens": 10, "expansion": 2,
    "dim": 4, "dims": 4, "size": 4, "hidden": 8, "features": 4, "channels": 4, "units": 8,
    "states": 4, "agents": 2, "joints": 3, "frames": 3, "num": 3, "count": 3, "neurons": 4,
    "nodes": 4, "particles": 3, "bodies": 3, "resolution": 8, "scale": 1.5, "sigma": 0.8,
    "near": 1.0, "far": 4.0,
    "axis": -1, "level": 2, "levels": 2, "period": 2, "every": 2, "interval": 2, "frequency": 2,
}  # fmt: skip
_WHOLE: dict[str, Any] = {
    "in_channels": 3, "d_model": 8, "embed_dim": 8, "embedding_dim": 8, "emb_dim": 8,
    "model_dim": 8, "hidden_dim": 8, "hidden_size": 8, "n_embd": 8, "dim_model": 8, "d_ff": 16,
    "out_dim": 3, "out_features": 3, "output_dim": 3, "output_size": 3, "out_channels": 4,
    "weight_decay": 0.01, "learning_rate": 0.1, "step_size": 0.1, "batch_size": 4,
    "max_grad_norm": 1.0, "grad_clip": 1.0, "smooth": 1.0, "image_size": 8, "img_size": 8,
    "seq_len": 5, "max_len": 16, "max_seq_len": 16, "block_size": 16, "context_length": 16,
    "window_size": 3, "kernel_size": 3, "n_embed": 8, "latent_dim": 4, "z_dim": 4,
    "dropout_rate": 0.0, "p": 0.5, "action_dim": 2, "num_actions": 2, "n_actions": 2, "nhead": 2,
    "ntoken": 10, "num_kernels": 3, "target_update": 2, "log_interval": 2, "head_dim": 4,
    "hidden_units": 8, "memory_size": 16, "buffer_size": 16, "num_classes": 3, "n_classes": 3,
    "gamma_": 0.9, "lr_decay": 0.5, "state_dim": 4, "dim_feedforward": 16, "mlp_ratio": 2.0,
}  # fmt: skip
_STRINGS = {
    "mode": "bilinear", "reduction": "mean", "device": "cpu", "border_type": "reflect",
    "padding_mode": "zeros", "name": "x", "activation": "relu", "init": "normal",
    "interpolation": "bilinear", "optimizer": "sgd", "norm": "layer", "padding": "same",
}  # fmt: skip


def words(name: str) -> list[str]:
    """`numLayers` and `num_layers` are both `num`, `layers`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [w for w in re.split(r"[_\d]+", split.lower()) if w]


def within(name: str, group: frozenset[str]) -> bool:
    parts = words(name)
    joined = "".join(parts)
    return joined in group or (bool(parts) and parts[-1] in group)


def number(name: str, default: Any = 0.5) -> Any:
    """A sensible number for a parameter of that name."""
    if name.lower() in _WHOLE:
        return _WHOLE[name.lower()]
    if within(name, COUNTS):
        return 3
    parts = words(name)
    for part in reversed(parts):
        if part in _NUMBERS:
            return _NUMBERS[part]
    if name.lower() in _NUMBERS:
        return _NUMBERS[name.lower()]
    if parts and parts[0] in ("n", "num", "nb", "max", "min"):
        return 3
    return default


def whole(name: str, default: int = 3) -> int:
    """A sensible whole number."""
    found = number(name, default)
    return found if isinstance(found, int) else max(1, round(found))


def real(name: str) -> float:
    return float(number(name, 0.5))


def is_number(name: str) -> bool:
    """Whether the name is one that numbers mostly have."""
    parts = words(name)
    return (
        number(name, None) is not None
        and len(name) > 1
        and (len(parts) > 1 or name.lower() not in ("h", "noise", "states", "actions", "points",
            "features", "tokens", "samples", "embeddings", "frames", "joints", "nodes", "hidden",
            "head", "particles", "std", "agents"))
    )  # fmt: skip


def string(name: str) -> str:
    return _STRINGS.get(name.lower(), _STRINGS.get((words(name) or [""])[-1], "mean"))


def is_flag(name: str) -> bool:
    parts = words(name)
    first = parts[0] if parts else ""
    return within(name, FLAGS) or first in ("use", "is", "return", "with", "has", "do", "should")


def by_name(name: str) -> Spec | None:
    """The sketch that a name alone suggests, if it suggests anything."""
    parts = words(name)
    if len(parts) > 1 and parts[0] in ("n", "num", "nb", "max", "min") and not is_flag(name):
        return value(number(name, 3))
    for group, sketch in _GROUPS:
        if within(name, group):
            return dict(sketch)
    if parts[-1:] in (["model"], ["net"], ["network"]) or name in ("G", "D"):
        return model()
    if is_flag(name):
        return value(False)
    if name in ("device", "dtype", "generator", "rng"):
        return {"is": name if name != "rng" else "generator"}
    if is_number(name):
        return value(number(name))
    return None


_GROUPS: list[tuple[frozenset[str], Spec]] = [
    (OPTIMIZERS, {"is": "optimizer"}),
    (SCHEDULERS, {"is": "scheduler"}),
    (LOSSES, made("torch.nn.MSELoss")),
    (ACTIVATIONS, named("torch.tanh")),
    (SINKS, {"is": "sink"}),
    (ENVIRONMENTS, {"is": "impossible", "why": "an environment"}),
    (IMAGES, tensor(["B", "C", "H", "W"])),
    (LABELS, tensor(["N"], "long", below=3)),
    (MASKS, tensor(None, "bool")),
    (ROWS, tensor(["N"])),
    (CONFIGS, {"is": "namespace", "items": {}}),
    (COUNTS, value(3)),
    (MODELS, model()),
    (MATRICES, tensor(["K", "K"], values="well")),
    (FUNCTIONS, {"is": "function"}),
]
