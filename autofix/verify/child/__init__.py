"""What runs in the user's interpreter: standard library and torch only, Python 3.9 or newer.

The package is loaded by path under the private name `_autofix_child`, so that the user's
interpreter needs no autofix and its `sys.path` stays as it is. It never imports `autofix`.

`isolation` starts jobs and confines them, `execute` handles one; `reading` and `inputs` make the
arguments of the functions that are called.
"""
