"""Looks for inputs with which a function runs: best first, on the lines that are reached.

An attempt that fails is mended in the ways that its error text suggests (`moves`); those that came
furthest in the target are mended first.
"""

from __future__ import annotations

import heapq
import itertools
import re
import time
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from . import lines, moves, plans, refining, slots, variants
from .recipes import Failed
from .slots import Recipe
from .target import Sources, Target

_ATTEMPT_SECONDS = 2.5
_WALL = 2.4
_VARIANTS = 14
_START = 5.0
_MOST_BETTER = 40
_SAYS_NOTHING = "the result does not depend on the inputs"
_NO_GPU = r"not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver"
_EMPTY = (
    r"(?i)empty|larger than population|got 0|index out of range|division by zero|of size 0"
    r"|from=0 >= to=0"
)

if TYPE_CHECKING:
    Attempt = Callable[[Recipe], Callable[[], Any]]


class Tried:
    """What came of one attempt."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.reached: frozenset[int] = frozenset()
        self.error: BaseException | None = None
        self.blamed: frozenset[str] = frozenset()
        self.start = 0
        self.tells = True
        self.changed: frozenset[int] = frozenset()
        """The lines it was to run that it has run."""


class Explorer:
    def __init__(
        self, namespace: dict[str, Any], target: str, hints: dict[str, Any], attempt: Attempt
    ) -> None:
        self.target = Target(namespace, target)
        self.sources = Sources(hints)
        self.plans = plans.Plans(namespace, self.target, hints, self.sources)
        self.attempt = attempt
        self.codes = self._codes()
        self.seen: set[str] = set()
        self.errors: dict[str, int] = {}
        self.asks_for_gpu = False
        self.changes: list[tuple[int, int]] = [(a, b) for a, b in hints.get("lines", [])]
        self.wanted = {n for first, last in self.changes for n in range(first, last + 1)}
        self.ends = self.ends_at_last = 0.0

    def _codes(self) -> list[types.CodeType]:
        functions = [self.target.function]
        if self.target.last == "__init__":
            functions.append(getattr(self.target.owner, "forward", None))
            functions += [vars(self.target.owner)[name] for name, _ in self.plans.methods()]
        if self.target.is_autograd:
            functions.append(getattr(self.target.owner, "backward", None))
        return [code for function in functions for code in lines.codes_of(function)]

    def run(self, budget: int, seconds: float) -> list[Recipe]:
        self.ends = time.process_time() + seconds
        self.ends_at_last = time.perf_counter() + _WALL * seconds
        first = self._first(budget)
        found = [first, *self._variants(first)]
        ran = [tried for tried in found if tried.error is None]
        return _best([tried for tried in ran if tried.tells] or ran)

    def _first(self, budget: int) -> Tried:
        """The first recipe that runs to the end."""
        queue: list[tuple[float, int, int, Callable[[], Recipe]]] = []
        count = itertools.count()
        for place, recipe in enumerate(self.plans.starts()):
            start: Callable[[], Recipe] = partial(_same, recipe)
            heapq.heappush(queue, (0.2 * place - _START, next(count), place, start))
        attempts = 0
        poor: Tried | None = None
        while queue and attempts < budget and self._left() > 0:
            _, _, place, make = heapq.heappop(queue)
            tried = self._try(make())
            if tried is None:
                continue
            attempts += 1
            if tried.error is None and tried.tells:
                return tried
            if tried.error is None and poor is None:
                poor, budget = tried, min(budget, attempts + _MOST_BETTER)
            tried.start = place
            for score, change in self._mended(tried):
                heapq.heappush(queue, (-score, next(count), place, change))
        if poor is not None:
            return poor
        raise Failed(self._reason())

    def _mended(self, tried: Tried) -> Iterator[tuple[float, Callable[[], Recipe]]]:
        if isinstance(tried.error, Failed):
            return
        error = tried.error or ValueError(_SAYS_NOTHING)
        text = _normal(error)
        self.asks_for_gpu = self.asks_for_gpu or bool(re.search(_NO_GPU, text))
        self.errors[text] = self.errors.get(text, 0) + 1
        base = 4.0 * len(tried.reached) / max(1, self._size) - 0.25 * min(self.errors[text], 12)
        base -= 0.1 * tried.start  # the first ways to start are the most plausible
        options = self.plans.options(tried.recipe)
        for weight, change in moves.moves(tried.recipe, error, tried.blamed, options):
            yield base + weight, change
        for place, _ in enumerate(tried.recipe["methods"]):
            left = [m for n, m in enumerate(tried.recipe["methods"]) if n != place]
            yield base + 2.0, partial(_same, {**tried.recipe, "methods": left})
        for place, primed in enumerate(self.plans.primed(tried.recipe, tried.blamed)):
            weight = 4.5 if re.search(_EMPTY, str(error)) else 1.5
            yield base + weight - 0.2 * place, partial(_same, primed)

    @property
    def _size(self) -> int:
        return sum(len(set(lines.numbers(code))) for code in self.codes)

    def _try(self, recipe: Recipe) -> Tried | None:
        """One attempt; None for a recipe that was tried before."""
        if not self._new(recipe):
            return None
        tried = Tried(recipe)
        watched = lines.Watched(self.codes, self._time_left())
        try:
            with watched.watching():
                tried.recipe = refining.refined(self.plans, recipe)
                same = slots.key(tried.recipe) == slots.key(recipe)
                if not same and not self._new(tried.recipe):
                    return None
                tried.tells = self.attempt(tried.recipe)() is not False
        except (Exception, SystemExit, lines.TooLong) as error:
            tried.error = error
            tried.blamed = self._blamed(error)
        tried.reached = frozenset(watched.reached)
        tried.changed = frozenset((watched.reached | watched.elsewhere) & self.wanted)
        return tried

    def _new(self, recipe: Recipe) -> bool:
        key = slots.key(recipe)
        known = key in self.seen
        self.seen.add(key)
        return not known

    def _time_left(self) -> float:
        return max(0.05, min(_ATTEMPT_SECONDS, self._left()))

    def _left(self) -> float:
        """Seconds of this process, so that others that run meanwhile make no difference; a program
        that sleeps has a limit as well."""
        wall = self.ends_at_last - time.perf_counter()
        return min(self.ends - time.process_time(), wall)

    def _blamed(self, error: BaseException) -> frozenset[str]:
        """The parameters that reach the line of the target which raised."""
        trace, found = error.__traceback__, frozenset[str]()
        record = self.sources.of(self.target.function) or {}
        flow = record.get("flow", {})
        in_target = False
        while trace is not None:
            if trace.tb_frame.f_code in self.codes:
                found = frozenset(flow.get(str(trace.tb_lineno), []))
                in_target = True
            trace = trace.tb_next
        if in_target or self.target.last == "__init__":
            return found
        return frozenset(["self"] if self.target.bound else [])

    def _reason(self) -> str:
        if self.asks_for_gpu:
            return "it asks for a GPU, and there is none"
        if not self.errors:
            return self.plans.problem or "no inputs could be made up"
        text = max(self.errors, key=lambda known: self.errors[known])
        return f"no inputs were found with which it runs; mostly: {text[:160]}"

    def _variants(self, first: Tried) -> list[Tried]:
        """Other values, flags and options: each may reach other lines."""
        found = []
        every = variants.of_recipe(self.plans, first.recipe, longer=self._misses(first))
        for recipe in itertools.islice(every, _VARIANTS):
            if self._left() <= 0:
                break
            tried = self._try(recipe)
            if tried is not None:
                found.append(tried)
                if tried.error is not None:
                    found += self._repaired(tried)
        return found

    def _misses(self, tried: Tried) -> bool:
        """Whether it ran none of the lines of one of the changes."""
        return any(not tried.changed & set(range(a, b + 1)) for a, b in self.changes if a <= b)

    def _repaired(self, tried: Tried) -> list[Tried]:
        """A variant that failed gets a few tries to be mended."""
        choices = sorted(self._mended(tried), key=lambda pair: -pair[0])[:4]
        for _, change in choices:
            again = self._try(change()) if self._left() > 0 else None
            if again is not None and again.error is None:
                return [again]
        return []


def _best(found: list[Tried]) -> list[Recipe]:
    """Up to three: those which add lines first, then those which merely differ."""
    left = list(found)
    chosen = [max(left, key=lambda tried: (len(tried.changed), len(tried.reached)))]
    left.remove(chosen[0])
    while left and len(chosen) < 3:
        seen = frozenset().union(*(tried.reached for tried in chosen))
        ran = frozenset().union(*(tried.changed for tried in chosen))
        best = max(left, key=lambda one: (len(one.changed - ran), len(one.reached - seen)))
        left.remove(best)
        chosen.append(best)
    return [tried.recipe for tried in chosen]


def _same(recipe: Recipe) -> Recipe:
    return recipe


def _normal(error: BaseException) -> str:
    if isinstance(error, lines.TooLong):
        return "it did not end in time"
    first = str(error).strip().split("\n")[0]
    return re.sub(r"\d+", "#", f"{type(error).__name__}: {first}")[:200]
