"""The command group, which imports a command when it is asked for."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import click

from autofix import __version__, cli
from autofix.config import ConfigError
from autofix.registry import RegistryError, UnknownRuleError

_FIRST = ("check", "apply")


class RefusalError(click.ClickException):
    """Something in what was asked for, or in a settings file, that ends the run at once."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {self.message}", err=True)


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        modules = (info.name for info in pkgutil.iter_modules(cli.__path__))
        names = sorted(name for name in modules if not name.startswith("_"))
        return sorted(names, key=lambda name: name not in _FIRST or _FIRST.index(name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"autofix.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigError, RegistryError, UnknownRuleError) as error:
            raise RefusalError(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:  # such as a working directory that is gone
            raise RefusalError((error.strerror or str(error)).lower()) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="autofix")
def app() -> None:
    """Repair PyTorch code in which gradients silently stop flowing."""
