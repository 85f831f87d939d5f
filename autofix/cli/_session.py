"""What `check` and `apply` do alike: run, and tell of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from autofix.cli._options import Options
from autofix.cli._output import emit, progress, say, tell
from autofix.report import render
from autofix.report.as_json import render_statistics as json_statistics
from autofix.report.style import clean, plural
from autofix.report.summary import render_fixes, render_statistics
from autofix.results import Report
from autofix.run import Mode, folder_of, run, run_on_text
from autofix.verified import Verifying

STDIN = "-"


def look(options: Options, mode: Mode, verifying: Verifying | None = None) -> tuple[Report, bytes]:
    """Run over the paths, or over stdin; with stdin, its contents after the run."""
    begun = time.perf_counter()
    if options.from_stdin:
        data = sys.stdin.buffer.read()
        name = options.stdin_filename or STDIN
        report, after = run_on_text(data, name, options.resolver, mode, verifying)
    else:
        after = b""
        report = run(
            options.paths,
            options.resolver,
            mode,
            lambda total: progress(total, quiet=options.quiet),
            verifying,
        )
    if options.verbose and not options.quiet:
        config = options.resolver.at(folder_of(options.anchor))
        for place in sorted({place for _, place in config.origins}):
            say(f"settings: {place}")
        if report.given_up:
            files = plural(len(report.given_up), "file")
            say(f"too large to follow, {files}: {', '.join(map(clean, report.given_up))}")
        say(f"{plural(report.files, 'file')} in {time.perf_counter() - begun:.2f} s")
    return report, after


def output_format(options: Options) -> str:
    return options.resolver.at(folder_of(options.anchor)).output_format


def results(report: Report, options: Options) -> Iterator[str]:
    """The report in the format asked for."""
    name = output_format(options)
    if options.statistics and name == "json":
        yield from json_statistics(report)
    elif options.statistics:
        yield from render_statistics(report, options.out)
    else:
        yield from render(report, name, options.out)
    if options.show_fixes and name != "json":
        yield from render_fixes(report, options.out)


def close(report: Report, options: Options, summary: str) -> None:
    """Everything that is not a result."""
    tell(report, options.err, quiet=options.quiet)
    if not options.quiet:
        say(summary)


def say_pieces(pieces: Iterable[str]) -> None:
    """Results, when stdout is taken by something else."""
    text = "".join(pieces)
    if text:
        say(text.rstrip("\n"))


def publish(report: Report, options: Options, summary: str) -> None:
    emit(results(report, options), options.output)
    close(report, options, summary)
