"""A handler for the server that runs the user's code: it executes the text of the job."""

import builtins
from typing import Any


def handle(job: dict[str, Any], emit: Any) -> None:
    names = {"__name__": "__main__", "__builtins__": builtins, "emit": emit, **job["names"]}
    exec(compile(job["text"], "job", "exec"), names)
