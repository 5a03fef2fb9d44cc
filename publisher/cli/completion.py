"""`publisher completion`."""

from __future__ import annotations

import click

from publisher.errors import ConfigError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      publisher completion bash > ~/.local/share/bash-completion/completions/publisher
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise ConfigError(f"there is no completion for {shell}", remedy="use bash, zsh or fish")
    cli = context.find_root().command
    click.echo(script(cli, {}, "publisher", "_PUBLISHER_COMPLETE").source())
