"""The command line: short commands that parse, call and print."""

from umanflow.cli.app import main

__all__ = ["main"]
