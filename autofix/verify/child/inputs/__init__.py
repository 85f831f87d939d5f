"""Makes the arguments of a function, and finds ones with which it runs.

From what the source says of a parameter (`reading`) come proposals (`propose`, with `vocabulary`,
`annotated`, `instances`, `layers`), from those recipes (`plans`), which are tried (`explore`) and
mended by the errors they raise (`moves`, `messages`, `scalars`); `recipes` makes the values, and
`telling` asks whether a result says anything.
"""

from .building import Built, build, search
from .recipes import Failed
from .telling import tells

__all__ = ["Built", "Failed", "build", "search", "tells"]
