"""The command line: parse, call one command, show its report, exit.

`cli.X` has the arguments of what `commands.X` does, which is imported when it runs, so that
start-up stays fast.
"""

from publisher.cli.program import cli, main

__all__ = ["cli", "main"]
