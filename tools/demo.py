"""Train the programs of examples/ as they are written and as `autofix apply` leaves them.

Run by `make demo`. The repair is made in a copy; examples/ stays as it is.
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = ("train.py", "calibrate.py", "match_joints.ipynb")
WIDTHS = (20, 34)
BEFORE, AFTER = "as written", "after `autofix apply --verify`"

Outcome = dict[str, Any]
"""What became of one program: `error` and `where`, or `losses` and `parameters`."""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "examples")
        shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("__pycache__"))
        said = "$ autofix apply --verify examples/   # in a copy; yours stay as they are"
        print(said, flush=True)
        apply = [sys.executable, "-m", "autofix", "apply", "--isolated", "--verify", "examples"]
        subprocess.run(apply, cwd=scratch, check=False, stderr=subprocess.STDOUT)
        print("\nTraining both, which takes some seconds ...\n", flush=True)
        with ThreadPoolExecutor() as pool:
            before, after = pool.map(watch, (EXAMPLES, copy))
    print("\n".join(table(before, after)))


def watch(folder: Path) -> dict[str, Outcome]:
    """Train all programs of a folder in a process of their own."""
    command = [sys.executable, "-B", __file__, str(folder)]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    outcomes: dict[str, Outcome] = json.loads(done.stdout.splitlines()[-1])
    return outcomes


def train_all(folder: Path) -> dict[str, Outcome]:
    """The other process: its last line of output is the result."""
    warnings.filterwarnings("ignore", "Failed to initialize NumPy")  # the programs need none
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, str(folder))
    return {name: train(folder / name) for name in PROGRAMS}


def train(program: Path) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            model, losses = run(program)
        except Exception as error:
            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            where = "`backward()`" if "backward" in frames else f"`{frames[-1]}`"
            message = re.split(r": \[|\. Hint", str(error))[0]
            return {
                "error": f"{type(error).__name__}: {message}",
                "where": where,
                "warnings": len(caught),
            }
    got = {name: parameter.grad is not None for name, parameter in model.named_parameters()}
    return {"losses": (losses[0], losses[-1]), "parameters": got, "warnings": len(caught)}


def run(program: Path) -> tuple[Any, list[float]]:
    if program.suffix == ".py":
        model, losses = runpy.run_path(str(program))["train"]()
        return model, losses
    scope: dict[str, Any] = {}
    for cell in json.loads(program.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), scope)
    return scope["model"], scope["losses"]


def table(before: dict[str, Outcome], after: dict[str, Outcome]) -> Iterator[str]:
    yield row("", BEFORE, AFTER)
    yield row("", "-" * len(BEFORE), "-" * len(AFTER))
    for name in PROGRAMS:
        both = before[name], after[name]
        yield row(name, *map(ending, both))
        yield row("  loss", *map(loss, both))
        for parameter in grouped(both):
            yield row(f"  {parameter}", *(fate(parameter, outcome) for outcome in both))
        yield row("  warnings", *(str(outcome["warnings"]) for outcome in both))
        yield ""
    for when, outcomes in ((BEFORE, before), (AFTER, after)):
        for name, outcome in outcomes.items():
            if "error" in outcome:
                yield f"{name}, {when}:\n  {outcome['error']}"


def row(*cells: str) -> str:
    first, second, third = cells
    return f"{first:<{WIDTHS[0]}}{second:<{WIDTHS[1]}}{third}".rstrip()


def ending(outcome: Outcome) -> str:
    return f"crashes in {outcome['where']}" if "error" in outcome else "runs"


def loss(outcome: Outcome) -> str:
    if "error" in outcome:
        return "-"
    first, last = outcome["losses"]
    return f"{first:.4f} -> {last:.4f}"


def grouped(outcomes: Iterable[Outcome]) -> list[str]:
    return sorted({common(name) for outcome in outcomes for name in outcome.get("parameters", ())})


def common(name: str) -> str:
    """`cameras.0.angle`, `cameras.1.angle`, ... as one name."""
    return re.sub(r"\.\d+\.", ".*.", name)


def fate(parameter: str, outcome: Outcome) -> str:
    if "error" in outcome:
        return "-"
    got = [g for name, g in outcome["parameters"].items() if common(name) == parameter]
    if not got:
        return "not in `model.parameters()`"
    return "gets a gradient" if all(got) else "some get none" if any(got) else "no gradient"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(train_all(Path(sys.argv[1]))))
    else:
        main()
