"""The command line. Every module here without an underscore is a command."""

from __future__ import annotations

import sys
import traceback

FAILED = 2
INTERRUPTED = 130


def main() -> None:
    # Imported late: `import autofix.cli` is to cost nothing.
    import click

    from autofix.cli._app import app
    from autofix.cli._output import silence

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal or pipe that lacks a character is no reason to lose the report.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except BrokenPipeError:
        silence(sys.stdout)
        status = FAILED
    except Exception:
        # An uncaught exception would exit with 1, which means findings.
        traceback.print_exc()
        click.echo("error: internal error of autofix, please report it", err=True)
        status = FAILED
    sys.exit(status)
