"""A whole run: paths to settings to files to results, and results to disk or to a patch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from pathlib import Path

from pathspec import GitIgnoreSpec

from autofix import batch, registry
from autofix.batch import Batch, Progress, Task
from autofix.config import Config, ConfigError, Resolver, settings
from autofix.files import Discovery, discover
from autofix.pipeline import Plan, examine, labels
from autofix.project.project import Project
from autofix.project.together import together, widely
from autofix.registry import UnknownRuleError, choose, matching
from autofix.report.patch import patch, relative
from autofix.results import FileResult, Problem, Report
from autofix.rule import Rule
from autofix.verified import Verifying, verified
from autofix.write import WriteError, write

CLEAN, FOUND, FAILED = 0, 1, 2


class Mode(Enum):
    CHECK = "check"
    APPLY = "apply"
    DIFF = "diff"


@dataclass(frozen=True)
class Planner:
    """The plan for each file: the settings of its folder, made into rules and tiers."""

    resolver: Resolver
    mode: Mode
    project: Project = field(default_factory=Project)
    _plans: dict[tuple[int, frozenset[str]], Plan] = field(default_factory=dict)

    def plan(self, file: str) -> Plan:
        """The plan for a file, given by its absolute path."""
        config = self.resolver.at(Path(os.path.dirname(file)))  # noqa: PTH120
        dropped = frozenset(_dropped(config, file))
        key = (id(config), dropped)
        if key not in self._plans:
            self._plans[key] = self._make(config, dropped)
        return self._plans[key]

    def _make(self, config: Config, dropped: frozenset[str]) -> Plan:
        rules = registry.load()
        try:
            chosen = choose(rules, config.select, config.extend_select, config.ignore)
            for _, selectors in config.per_file_ignores:
                _codes(rules, selectors)
            lost = _codes(rules, dropped)
            promoted = _codes(rules, config.extend_safe_fixes)
            demoted = _codes(rules, config.extend_unsafe_fixes)
        except UnknownRuleError as error:
            raise ConfigError(f"{_origin(config, error.selector)}: {error}") from error
        return Plan(
            rules=tuple(rule for rule in chosen if rule.code not in lost),
            repair=self.mode is not Mode.CHECK,
            unsafe=config.unsafe_fixes,
            verify=self.mode is not Mode.CHECK and config.verify,
            python=config.interpreter,
            promoted=promoted,
            demoted=demoted,
            project=self.project,
            known=labels(rules),
        )


def run(
    paths: Sequence[str],
    resolver: Resolver,
    mode: Mode = Mode.CHECK,
    progress: Callable[[int], Progress] = lambda total: lambda done: None,
    verifying: Verifying | None = None,
) -> Report:
    """Look at everything below `paths`; with `Mode.APPLY`, write what was repaired."""
    here = str(Path.cwd())
    planner = Planner(resolver, mode, Project(tuple(_full(here, path) for path in paths)))
    found = _discover(paths, resolver)
    plans: list[Plan] = []
    index: dict[int, int] = {}
    tasks: list[Task] = []
    for file in map(str, found.files):
        plan = planner.plan(os.path.join(here, file))  # noqa: PTH118
        if id(plan) not in index:
            index[id(plan)] = len(plans)
            plans.append(plan)
        tasks.append(Task(file, shown(file, here), index[id(plan)]))
    jobs = resolver.at(folder_of(paths[0])).jobs or _processors()
    work = Batch(tuple(tasks), tuple(plans), planner.project)
    done = together(work, batch.run(work, jobs, progress(len(tasks))), jobs)
    planned = [(one, plans[task.plan]) for one, task in zip(done, tasks, strict=True)]
    results = verified(planned, work.read, verifying, lambda: widely(work, jobs))
    report = Report(
        files=0,
        problems=tuple(Problem(shown(path, here), said) for path, said in found.errors),
        notes=tuple(f"{shown(path, here)}: {said}" for path, said in found.notes),
    )
    return _finish(report, results, mode)


def run_on_text(
    data: bytes,
    name: str,
    resolver: Resolver,
    mode: Mode = Mode.CHECK,
    verifying: Verifying | None = None,
) -> tuple[Report, bytes]:
    """The same for the contents of one file. Nothing is written: the new contents come back."""
    file = str(Path.cwd() / name)
    config = resolver.at(Path(file).parent)
    if config.force_exclude and Path(file).exists() and not _discover([name], resolver).files:
        return Report(files=0), data
    plan = Planner(resolver, mode).plan(file)
    result = examine(data, name, shown(name, str(Path.cwd())), plan)
    (result,) = verified([(result, plan)], lambda _: data, verifying)
    report = _finish(Report(files=0), [result], Mode.DIFF)
    return report, data if result.after is None else result.after


def check_status(report: Report) -> int:
    if report.problems:
        return FAILED
    return FOUND if report.findings else CLEAN


def apply_status(report: Report, *, non_zero_on_fix: bool = False) -> int:
    if report.problems:
        return FAILED
    return FOUND if report.remaining or (non_zero_on_fix and report.written) else CLEAN


def diff_status(report: Report) -> int:
    if report.problems:
        return FAILED
    return FOUND if report.patch else CLEAN


def _full(here: str, path: str) -> str:
    return os.path.normpath(os.path.join(here, path))  # noqa: PTH118


def shown(path: str, here: str) -> str:
    """The path relative to the working directory where it lies below it, else as given."""
    full = _full(here, path)
    inside = full.startswith(here.rstrip(os.sep) + os.sep)
    return full[len(here) :].lstrip(os.sep).replace(os.sep, "/") if inside else path


def _discover(paths: Sequence[str], resolver: Resolver) -> Discovery:
    """Files below the paths, by the excludes of the settings in force where they lie."""
    groups: dict[int, tuple[Config, list[Path]]] = {}
    for path in paths:
        config = resolver.at(folder_of(path))
        groups.setdefault(id(config), (config, []))[1].append(Path(path))
    parts = [_search(config, members, resolver) for config, members in groups.values()]
    if len(parts) == 1:
        return parts[0]
    files = {os.path.realpath(file): file for part in parts for file in part.files}
    return Discovery(
        tuple(files.values()),
        tuple(error for part in parts for error in part.errors),
        tuple(note for part in parts for note in part.notes),
    )


def _search(config: Config, paths: Sequence[Path], resolver: Resolver) -> Discovery:
    found = _found(config, paths, config.force_exclude)
    given = set(paths)
    folders: dict[str, Config] = {}
    kept: list[Path] = []
    nested: dict[int, tuple[Config, list[Path]]] = {}
    for file in found.files:
        name = os.path.dirname(file)  # noqa: PTH120
        if name not in folders:
            folders[name] = resolver.at(folder_of(name))
        own = config if file in given else folders[name]
        if own is config:
            kept.append(file)
        else:
            nested.setdefault(id(own), (own, []))[1].append(file)
    for own, files in nested.values():
        # A project inside of this one has excludes of its own.
        kept += _found(own, files, True).files
    return Discovery(tuple(sorted(kept)) if nested else found.files, found.errors, found.notes)


def _found(config: Config, paths: Sequence[Path], force_exclude: bool) -> Discovery:
    try:
        return discover(
            paths,
            exclude=config.exclude or (),
            extend_exclude=config.extend_exclude,
            force_exclude=force_exclude,
            root=Path(config.root),
        )
    except ValueError as error:
        raise ConfigError(f"an exclude pattern cannot be understood: {error}") from error


def _finish(report: Report, results: Sequence[FileResult], mode: Mode) -> Report:
    """The report of a run. This is where files are written."""
    if mode is Mode.APPLY:
        results = [_written(result) for result in results]
    changed = [(result, result.after) for result in results if result.after is not None]
    pieces = [
        patch(relative(Path(result.path)), result.before, after)
        for result, after in changed
        if mode is Mode.DIFF
    ]
    return replace(
        report,
        files=sum(result.looked_at for result in results),
        findings=tuple(found for result in results for found in result.findings),
        problems=(*report.problems, *(said for result in results for said in result.problems)),
        patch=b"".join(pieces),
        written=len(changed),
        given_up=tuple(result.shown for result in results if result.given_up),
    )


def _written(result: FileResult) -> FileResult:
    if result.after is None:
        return result
    try:
        write(Path(result.path), result.before, result.after)
    except WriteError as error:
        problems = (*result.problems, Problem(result.shown, str(error)))
        return replace(result, findings=result.unrepaired, after=None, problems=problems)
    return result


def _dropped(config: Config, file: str) -> Iterator[str]:
    """The selectors that `per-file-ignores` takes away for a file."""
    if not config.per_file_ignores:
        return
    below = shown(file, config.root)
    for pattern, selectors in config.per_file_ignores:
        if _spec(pattern.removeprefix("!")).match_file(below) is not pattern.startswith("!"):
            yield from selectors


@cache
def _spec(pattern: str) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines([pattern])


def _codes(rules: Sequence[Rule], selectors: Iterable[str]) -> frozenset[str]:
    return frozenset(rule.code for item in selectors for rule in matching(rules, item))


def _origin(config: Config, selector: str) -> str:
    """Who asked for a rule that is not there."""
    for name, value in settings(config).items():
        asked = dict(value) if name == "per-file-ignores" else {}
        if selector in (value if isinstance(value, tuple) else ()) or any(
            selector in selectors for selectors in asked.values()
        ):
            return f"{config.origin(name.replace('-', '_'))}: `{name}`"
    return config.root


def folder_of(path: str) -> Path:
    """The folder whose settings hold for a path."""
    full = Path.cwd() / path
    full = Path(os.path.normpath(full))
    return full if full.is_dir() else full.parent


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
