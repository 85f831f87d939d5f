"""mypy over the engine and the rules.

`codemods/` is installed as `autofix.codemods`, where mypy, which reads the tree, does not find it:
it is shown the tree as it will be installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "autofix")
        package.mkdir()
        for part in (*(ROOT / "autofix").iterdir(), ROOT / "codemods"):
            (package / part.name).symlink_to(part)
        cache = ["--cache-dir", str(ROOT / ".mypy_cache")]
        config = ["--config-file", str(ROOT / "pyproject.toml")]
        command = [sys.executable, "-m", "mypy", *cache, *config, *sys.argv[1:]]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
