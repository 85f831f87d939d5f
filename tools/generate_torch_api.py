"""Generate `autofix/flow/torch_api.json`: what each public torch operation does to a value.

    pip install torch==2.13.* expecttest scipy
    python tools/generate_torch_api.py            # writes the table
    python tools/generate_torch_api.py --check    # exit 1 if the table on disk differs
    python tools/generate_torch_api.py --show torch.sum   # the evidence behind one entry
    python tools/generate_torch_api.py --audit            # what is saved, against derivatives.yaml
    python tools/generate_torch_api.py --unknown          # public names without an entry

Nothing in the table is typed by hand. Every callable is *run* on the sample inputs that torch's
own test suite keeps for it (`op_db`, `module_db`), and a field is written only where all runs
agree: shapes, dtypes, what shares memory, what carries a graph, what the backward formula holds.
Samples are varied (another rank, another memory order, one dimension shorter), so that a field
does not hold by luck. Signatures, stubs and docstrings give the names of arguments;
`native_functions.yaml` the pointwise tag and `out=`. What no run can show is in
`torch_api/exceptions.py`, each line with its reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from torch_api.audit import audit
from torch_api.build import build, dump, show, unknown

TABLE = Path(__file__).resolve().parent.parent / "autofix" / "flow" / "torch_api.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--show", metavar="NAME", help="print the evidence for one name")
    parser.add_argument("--audit", action="store_true", help="compare with derivatives.yaml")
    parser.add_argument("--unknown", action="store_true", help="list names without an entry")
    options = parser.parse_args()
    if options.show:
        print(show(options.show))
        return 0
    if options.audit or options.unknown:
        table = json.loads(TABLE.read_text())
        print("\n".join(audit(table) if options.audit else unknown(table)))
        return 0
    text = dump(build())
    if options.check:
        same = TABLE.exists() and TABLE.read_text() == text
        print("up to date" if same else f"{TABLE} differs; run without --check")
        return 0 if same else 1
    TABLE.write_text(text)
    print(f"{TABLE}: {len(text) // 1000} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
