"""How often the verifier is wrong: repairs of injected bugs, right ones and wrong ones.

    python benchmarks/verifier_mutations.py --package kornia --package geoopt [--functions N]

The graph of published functions is cut in one place, in ways that leave the values as they are.
Each cut is then repaired: rightly, by the published text; and wrongly, by a cut in another place,
by the same cut in other words, and by the published text with one number or operator changed. Both
texts go through `verify()`, as an edit of a user would. Cuts that change no gradient are no bugs
and are left out, and so are changed numbers that change no value; `mutation_truth.py` tells.

The packages must be installed for the Python that runs this; a virtual environment of their own
will do. `--package` takes a subpackage, too (`pytorch3d.transforms`).
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from mutants import Cut, Edit, Function, Module, nested
from mutation_report import Asked, Found, Subject, report, save

from autofix.verify import hints
from autofix.verify.outcome import Settings
from autofix.verify.pair import Version, pair
from autofix.verify.verify import verify
from autofix.verify.zygote import Zygote

TRUTH = str(Path(__file__).with_name("mutation_truth.py"))
SAME, OTHER = 1e-9, 1e-3
CANDIDATES = 14


@dataclass
class Bench:
    """What one process of the study works with."""

    cuts: int
    seed: int
    packages: tuple[str, ...] = ()
    settings: Settings = field(default_factory=lambda: Settings(sys.executable))

    def __post_init__(self) -> None:
        # What is measured is a verification once the packages have been imported.
        self.zygote = Zygote(sys.executable, self.settings.limits, self.packages)
        self.truth = Zygote(sys.executable, self.settings.limits, self.packages, handler=TRUTH)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--package", action="append", required=True)
    options.add_argument("--functions", type=int, default=20, help="of each package")
    options.add_argument("--only", help="the name of one function")
    options.add_argument("--cuts", type=int, default=3, help="of each function")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--seconds", type=float, default=130, help="for each package, at most")
    options.add_argument("--save", type=Path, help="write every pair to this file, as JSON")
    given = options.parse_args()
    everything: list[Found] = []
    with ProcessPoolExecutor(given.jobs, initializer=_start, initargs=(given,)) as pool:
        for package in given.package:
            found = [*_usable(pool.map, package, given)]
            report(package, found)
            everything += found
            if given.save:
                save(given.save, everything)
    if len(given.package) > 1:
        report("all", everything)


# The functions --------------------------------------------------------------------------------


def _usable(run: Any, package: str, given: argparse.Namespace) -> Iterator[Found]:
    """Functions in random order, until enough of them had a cut that matters."""
    subjects = [*_subjects(package)]
    if given.only:
        subjects = [one for one in subjects if one.target == given.only]
    random.Random(given.seed).shuffle(subjects)
    good, ends = 0, time.monotonic() + given.seconds
    for first in range(0, len(subjects), 2 * given.jobs):
        for found in run(_study, subjects[first : first + 2 * given.jobs]):
            if good < given.functions:
                good += bool(found.asked)
                yield found
        if good >= given.functions or time.monotonic() > ends:
            return


def _subjects(package: str) -> Iterator[Subject]:
    """The functions and the `forward` methods of a package that compute something."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"`{package}` is not installed")
    origin = Path(spec.origin)
    folder = origin.parent
    root = folder.parents[package.count(".")] if origin.name == "__init__.py" else folder
    for file in sorted(folder.rglob("*.py")) if origin.name == "__init__.py" else [origin]:
        parts = file.relative_to(root).with_suffix("").parts
        if {"tests", "test", "testing", "examples"} & set(parts):
            continue
        module = ".".join(parts).removesuffix(".__init__")
        for target, node in _functions(ast.parse(file.read_text())):
            if _computes(node):
                yield Subject(package, module, str(file), str(root), target)


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, Function) and child.name == "forward":
                    yield f"{node.name}.forward", child


def _computes(node: Function) -> bool:
    returned = any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(node))
    return returned and any(isinstance(n, (ast.BinOp, ast.Call)) for n in ast.walk(node))


# The pairs ------------------------------------------------------------------------------------

_bench: list[Bench] = []


def _start(given: argparse.Namespace) -> None:
    _bench.append(Bench(given.cuts, given.seed, tuple(given.package)))


def _study(subject: Subject) -> Found:
    bench = _bench[0]
    module = Module(Path(subject.path).read_text())
    function = dict(_functions(module.tree))[subject.target]
    chance = random.Random(f"{bench.seed} {subject.module} {subject.target}")
    cuts = module.cuts(function, chance)[:CANDIDATES]
    edits = module.changes(function, chance)[: CANDIDATES // 2]
    told = _truth(bench, subject, module, [*((cut.edit,) for cut in cuts), *((e,) for e in edits)])
    if isinstance(told, str):
        return Found(subject, skipped=told)
    bugs = [c for c, t in zip(cuts, told, strict=False) if t and t[0] <= SAME and t[1] >= OTHER]
    bugs = bugs[: bench.cuts]
    others = [e for e, t in zip(edits, told[len(cuts) :], strict=True) if t and t[0] >= OTHER]
    if not bugs:
        return Found(subject, skipped="no cut that matters")
    pairs = [*_right(bugs), *_wrong(module, bugs, others), *_halves(bench, subject, module, bugs)]
    return Found(subject, tuple(_ask(bench, subject, module, *one) for one in pairs))


Edits = Sequence[Edit]


def _right(bugs: Sequence[Cut]) -> Iterator[tuple[str, Edits, Edits]]:
    for bug in bugs:
        yield "right", (bug.edit,), ()


def _wrong(
    module: Module, bugs: Sequence[Cut], others: Sequence[Edit]
) -> Iterator[tuple[str, Edits, Edits]]:
    for number, bug in enumerate(bugs):
        yield "cut put in", (), (bug.edit,)
        for other in bugs:
            if other is not bug:
                yield "cut moved", (bug.edit,), (other.edit,)
        if bug.form == "detach":
            held = module.cut(bug.edit.start, bug.edit.end, ("data", "clone")[number % 2])
            yield "cut in other words", (bug.edit,), (held.edit,)
        for edit in [edit for edit in others if bug.apart(edit)][:2]:
            yield "other number", (bug.edit,), (edit,)


def _halves(
    bench: Bench, subject: Subject, module: Module, bugs: Sequence[Cut]
) -> Iterator[tuple[str, Edits, Edits]]:
    """Two cuts of which one is repaired. As far as it goes that is right, where it changes
    the gradient, so it is counted by itself."""
    for a, b in pairwise(bugs):
        if not nested([a, b]):
            yield "one of two", (a.edit, b.edit), (a.edit,)


def _ask(
    bench: Bench, subject: Subject, module: Module, kind: str, old: Edits, new: Edits
) -> Asked:
    texts = module.with_edits(*old), module.with_edits(*new)
    before, after = (Version(text, subject.path, (subject.root,)) for text in texts)
    started = time.perf_counter()
    try:
        found = verify(pair(before, after), bench.settings, bench.zygote).verification
        verdict, reason = found.verdict.value, found.reason
    except Exception as error:
        verdict, reason = "crashed", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - started
    what = " / ".join(", ".join(edit.text for edit in edits) for edits in (old, new))
    return Asked(kind, what, verdict, reason, seconds)


def _truth(
    bench: Bench, subject: Subject, module: Module, variants: Sequence[Edits]
) -> list[list[float] | None] | str:
    """How far values and gradient of each variant are from the published ones, or why not."""
    name = subject.target.partition(".")[0]
    job = {
        "roots": [subject.root],
        "module": subject.module,
        "target": subject.target,
        "hints": hints.for_function(module.tree, subject.target),
        "variants": [_piece(module.with_edits(*edits), name) for edits in variants],
    }
    ran = bench.truth.run(job)
    if not ran.results or ran.results[0]["failed"]:
        return str(ran.results[0]["failed"] if ran.results else ran.failure)
    told = [result["variant"] for result in ran.results[1:]]
    return [*told, *[None] * (len(variants) - len(told))]


def _piece(text: str, name: str) -> str:
    """The text of one function or class, behind empty lines, as it stands in the module."""
    tree = ast.parse(text)
    node = [n for n in tree.body if getattr(n, "name", None) == name][-1]
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    future = [
        ast.unparse(n)
        for n in tree.body
        if isinstance(n, ast.ImportFrom) and n.module == "__future__"
    ]
    return "\n".join([*future, *text.splitlines()[first - 1 : node.end_lineno]])


if __name__ == "__main__":
    main()
