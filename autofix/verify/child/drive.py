"""Execute a program once: as a script, or by a call of one of its functions."""

from __future__ import annotations

import contextlib
import io
import os
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from . import chance, constructors, inputs, tensors, watch
from .current import unwatched, watched
from .mode import Mode
from .plan import Plan
from .probes import Probes
from .program import Program
from .session import Session, Stop
from .tensors import Tensor
from .watch import Watch

_LEFT_OVER = ("a second time", "modified by an inplace operation", "does not require grad")
"""What a backward pass says to the leavings of the pass before."""


@dataclass
class Execution:
    """One execution that has ended, however it did."""

    session: Session
    probes: Probes
    raised: dict[str, Any] | None = None
    namespace: dict[str, Any] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)
    returned: list[Any] = field(default_factory=list)
    modules: list[torch.nn.Module] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    printed: str = ""
    """The beginning of what it has printed."""
    written: int = 0
    """How many of the given tensors the call has written to."""


@dataclass(frozen=True)
class Drive:
    """What is executed of a program: all of it, or a call by a recipe."""

    target: str = ""
    recipe: dict[str, Any] | None = None


PRINTED = 20_000
"""So many letters of what a program prints are kept."""


class _Sink(io.StringIO):
    """Takes what the program prints, and keeps the beginning of it."""

    def write(self, text: str) -> int:
        super().write(text[: max(PRINTED - self.tell(), 0)])
        return len(text)


def execute(
    program: Program,
    drive: Drive,
    mode: Mode,
    plan: Plan,
    tape: Any = None,
    missed: dict[tuple[int, ...], set[str]] | None = None,
    heals: frozenset[int] = frozenset(),
) -> Execution:
    """Run once. Raises only what ends the process. `missed`: tensors to catch the gradients of.
    `heals`: changes that are to keep copies."""
    session = Session(program.path, mode, plan)
    session.homes = tuple(root + os.sep for root in program.roots)
    session.reads.missed = missed or {}
    session.tape = tape if tape is not None else []
    run = Execution(session, Probes(session=session, heals=heals))
    chance.seed(mode.seed)
    constructors.set_precision(mode.frozen)
    torch.set_grad_enabled(not mode.values_only)
    with _quiet(run, program.path):
        try:
            _run(program, drive, run)
        except Stop:
            pass
        except SystemExit as error:
            if error.code not in (None, 0):
                run.raised = _described(error, program.path)
        except BaseException as error:
            run.raised = _described(error, program.path)
        finally:
            session.paused = True
            torch.set_grad_enabled(True)
    return run


def _run(program: Program, drive: Drive, run: Execution) -> None:
    session = run.session
    if drive.recipe is None:
        with Watch(session), watched(session):
            run.namespace = program.run(run.probes)
        return
    with Watch(session), watched(session):
        session.paused = True
        run.namespace = program.load(run.probes)
        chance.seed(session.mode.seed)
        session.paused = False
        built = inputs.build(run.namespace, drive.recipe, session.mode.seed)
        _call(built, run)


def _call(built: Any, run: Execution) -> None:
    """Call the function; unless it trained by itself, what it returns stands for a loss."""
    session = run.session
    for name, leaf in built.inputs:
        if leaf.requires_grad and session.mode.values_only is False:
            session.use(leaf)
            session.by_id[id(leaf)].name = name
    result = _once(built, run)
    with unwatched(session):
        given = [*built.args, *built.kwargs.values()]
        run.modules = [*_modules(result), *_modules(given)]
        run.returned = _parameters(_modules(result))
    if isinstance(built.instance, torch.nn.Module) and session.events and not session.optimizers:
        _take_a_step(session, built.instance)
    if session.steps or isinstance(built.instance, torch.nn.Module):
        _again(built, run)


def _once(built: Any, run: Execution) -> Any:
    session = run.session
    begun = session.passes
    given = [*tensors.inside(built.args), *tensors.inside(built.kwargs)]
    versions = [(tensor, tensors.version(tensor)) for tensor in given]
    result = built.function(*built.args, **built.kwargs)
    with unwatched(session):
        changed = [tensor for tensor, version in versions if tensors.version(tensor) != version]
        # What was written to is the result of a function that returns nothing else.
        found = list(tensors.results(result)) or changed
        run.written = len(changed)
        run.outputs = [_told(one) for one in found[:50]]
        outputs = [
            one for one in map(_as_tensor, found) if one.is_floating_point() or one.is_complex()
        ]
    if outputs and session.passes == begun:
        _finish(session, outputs)
    return result


def _again(built: Any, run: Execution) -> None:
    """A second call tells what stays from the first: weights, gradients, a graph that is used up.
    That it does not take the same inputs twice says nothing."""
    run.session.turns += 1
    outputs = run.outputs
    try:
        _once(built, run)
    except Exception as error:
        if not any(said in str(error) for said in _LEFT_OVER):
            return
        raise
    finally:
        run.outputs = outputs


def _take_a_step(session: Session, module: torch.nn.Module) -> None:
    """What an optimizer over `module.parameters()` would move."""
    if session.mode.name != "plain":
        return
    if not any(root is module for root in session.roots):
        session.roots.append(module)
    with contextlib.suppress(ValueError):  # without parameters there is no optimizer
        torch.optim.SGD(module.parameters(), lr=0.1).step()


def _finish(session: Session, outputs: list[Tensor]) -> None:
    """The backward pass of what was returned."""
    root = tensors.scalar(outputs)
    if root.requires_grad:
        torch.autograd.backward(root)
        session.events[-1].kind = "returned"
        return
    with unwatched(session):
        event = session.event("returned", root)
        session.finish_event(event)


def _modules(value: Any) -> list[torch.nn.Module]:
    found = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in found if isinstance(one, torch.nn.Module)]


def _parameters(modules: list[torch.nn.Module]) -> list[Any]:
    """Parameters, whether they are to be trained, and what they hold."""
    return [
        [name, list(parameter.shape), parameter.requires_grad, tensors.digest(parameter)]
        for module in modules
        for name, parameter in module.named_parameters()
    ][:500]


def _as_tensor(value: Any) -> Tensor:
    """A number counts as the tensor that it may be in the other version."""
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


def _told(value: Any) -> list[Any]:
    """Shape, type and sum of something that was returned."""
    if isinstance(value, Tensor):
        nodes, _ = tensors.nodes_behind(value, 1000)
        total = float(tensors.plain(value).sum())
        return [list(value.shape), str(value.dtype)[6:], total, nodes]
    return [[], "number", float(value), 0]


@contextlib.contextmanager
def _quiet(run: Execution, path: str) -> Iterator[None]:
    """Nothing is printed, and warnings are kept."""
    torch.set_warn_always(run.session.mode.name == "plain")

    def keep(message: Any, category: Any, filename: str, line: int, *rest: Any) -> None:
        if filename == watch.__file__:  # torch blames its caller, which is the watch
            frame = run.session.user_frame()
            filename, line = path, frame.f_lineno if frame else 0
        if filename == path and len(run.warnings) < 200:
            run.warnings.append(f"{line}: {category.__name__}: {str(message).splitlines()[0][:80]}")

    with warnings.catch_warnings():
        warnings.simplefilter("always" if run.session.mode.name == "plain" else "ignore")
        warnings.showwarning = keep  # type: ignore[assignment]
        sink = _Sink()
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(_Sink()):
            yield
        run.printed = sink.getvalue()


def _described(error: BaseException, path: str) -> dict[str, Any]:
    """An exception as data; the line is the innermost one of the program under test."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    said = str(error).strip().splitlines()
    return {
        "type": type(error).__name__,
        "message": said[0][:300] if said else "",
        "line": lines[-1] if lines else (getattr(error, "lineno", 0) or 0),
        "inside": any("torch" in frame.filename for frame in frames[-2:]),
    }
