"""The command line."""

from clicklib.cli.commands import cli, main

__all__ = ["cli", "main"]
