"""Serve other sources for some files, in this process and those that it starts.

`AUTOFIX_SWAP` names a folder: `map.json` in it says which file stands in for which, by real path,
and `loaded` takes down what was really loaded. The files themselves stay as they are, and no `.pyc`
of them is read or written.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False  # importing `typing` would cost every process more than all the rest
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any


def _swap(folder: str) -> None:
    import importlib.machinery
    import json

    with open(os.path.join(folder, "map.json"), encoding="utf-8") as file:
        replaced: dict[str, str] = json.load(file)
    loader = importlib.machinery.SourceFileLoader
    get_code, open_code = loader.get_code, io.open_code

    def source_of(path: str) -> bytes | None:
        """The other source for a path, or None."""
        real = os.path.realpath(path)
        if real not in replaced:
            return None
        with open(replaced[real], "rb") as file:
            source = file.read()
        _remember(path, source)
        _take_down(folder, real)
        return source

    def code(self: Any, fullname: str) -> CodeType | None:
        source = source_of(self.path)
        if source is None:
            return get_code(self, fullname)
        made: CodeType = compile(source, self.path, "exec", dont_inherit=True)
        return made

    def opened(path: str) -> Any:
        source = source_of(path)
        return open_code(path) if source is None else io.BytesIO(source)

    loader.get_code = code  # type: ignore[method-assign]
    # For `runpy`, by which processes of `multiprocessing` load the script again.
    io.open_code = opened
    _swap_script(replaced)


def _remember(path: str, source: bytes) -> None:
    """Let tracebacks and `inspect.getsource` show what runs; `torch.jit.script` compiles that."""
    import importlib.util
    import linecache

    text = importlib.util.decode_source(source)
    # Without a time, `linecache.checkcache` does not look at the file.
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)


def _take_down(folder: str, real: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    log = os.open(os.path.join(folder, "loaded"), flags, 0o600)
    try:
        os.write(log, (real + "\n").encode("utf-8", "surrogateescape"))
    finally:
        os.close(log)


def _swap_script(replaced: dict[str, str]) -> None:
    """`python script.py` imports nothing, so the interpreter is started anew with a shim for it."""
    words: list[str] = getattr(sys, "orig_argv", [])  # Python 3.10
    script = sys.argv[0] if words and getattr(sys, "argv", None) else ""
    if not script or script in ("-c", "-m") or os.path.realpath(script) not in replaced:
        return
    at = len(words) - len(sys.argv)
    if words[at] == script and os.path.isfile(script):
        shim = os.path.join(os.path.dirname(os.path.abspath(__file__)), "script.py")
        os.execv(sys.executable, [sys.executable, *words[1:at], shim, *words[at:]])


def _chain() -> None:
    """Run the `sitecustomize` that this one hides, if there is any."""
    import importlib.machinery
    import importlib.util

    own = os.path.dirname(os.path.abspath(__file__))
    path = [entry for entry in sys.path if os.path.abspath(entry) != own]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("AUTOFIX_SWAP"):
    _swap(os.environ["AUTOFIX_SWAP"])
_chain()
