"""How much CPU time `autofix check` takes, against a bare `ast.parse` of the same files.

    python benchmarks/speed.py [PATH] [--runs N]

PATH is a folder or file; the default is the installed torch/nn. Everything is measured in one run,
in turns, each in a new process, and the least time counts. ruff is measured if it is installed,
with the rules that it has by default. autofix and ruff run in one process and without a cache; a
process that does nothing but start Python and import `ast` is shown, for what start-up costs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

PARSE = """
import ast, sys, warnings
warnings.simplefilter("ignore")
for name in sys.stdin.read().split("\\0"):
    with open(name, "rb") as file:
        ast.parse(file.read())
"""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("path", nargs="?", type=Path)
    options.add_argument("--runs", type=int, default=3)
    given = options.parse_args()
    path = given.path or torch_nn()
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    if not files:
        sys.exit(f"no Python files in {path}")
    names = "\0".join(map(str, files)).encode()
    commands = {
        "python, nothing else": ([sys.executable, "-c", "import ast"], b""),
        "ast.parse": ([sys.executable, "-c", PARSE], names),
        "autofix check": ([*autofix(), *map(str, files)], b""),
    }
    ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if ruff:
        flags = ["check", "--isolated", "--no-cache", "--silent"]
        commands["ruff check"] = ([ruff, *flags, str(path)], b"")

    best = dict.fromkeys(commands, float("inf"))
    for _ in range(given.runs):
        for name, (command, stdin) in commands.items():
            best[name] = min(best[name], cpu_time(command, stdin))

    megabytes = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} files, {megabytes:.2f} MB, Python {sys.version.split()[0]}")
    print(f"{'':<22}{'CPU s':>8}{'x ast.parse':>14}")
    for name, seconds in best.items():
        print(f"{name:<22}{seconds:>8.2f}{seconds / best['ast.parse']:>14.2f}")


def autofix() -> list[str]:
    flags = ["--isolated", "--no-cache", "--jobs", "1", "--quiet", "--statistics"]
    return [sys.executable, "-m", "autofix", "check", *flags]


def torch_nn() -> Path:
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("torch is not installed: name a PATH")
    return Path(spec.submodule_search_locations[0], "nn")


def cpu_time(command: list[str], stdin: bytes) -> float:
    """User and system time of a process and of those that it has waited for."""
    before = os.times()
    done = subprocess.run(command, input=stdin, stdout=subprocess.DEVNULL, check=False)
    after = os.times()
    if done.returncode not in (0, 1, 2):  # 1: findings; 2: some file could not be looked at
        sys.exit(f"{command[0]} ended with {done.returncode}")
    used = after.children_user - before.children_user
    return used + after.children_system - before.children_system


if __name__ == "__main__":
    main()
