"""Run a script as `python script.py` does, with the source that stands in for it."""

from __future__ import annotations

import io
import os
import sys


def _run() -> None:
    script = sys.argv[1]
    del sys.argv[0]
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    # `sitecustomize` has seen to it that this gives the other source.
    with io.open_code(script) as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    namespace = sys.modules["__main__"].__dict__
    for name in [name for name in namespace if not name.startswith("__")]:
        del namespace[name]
    namespace.update(__file__=script, __doc__=None, __cached__=None)
    exec(code, namespace)


_run()
