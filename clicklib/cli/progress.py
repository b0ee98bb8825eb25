"""`clicklib progress`: what a reader has solved, and whether the class sees it."""

from __future__ import annotations

import click

__all__ = ["progress"]


@click.command()
@click.option("--reset", is_flag=True, help="Forget what was solved.")
@click.option("--share", metavar="NAME", help="Show it to your class, under this name.")
@click.option("--private", is_flag=True, help="Take it back from the class.")
def progress(reset: bool, share: str | None, private: bool) -> None:
    """Say which exercises are solved, and what comes next.

    Nothing of it leaves this machine, unless you --share it. Then your class sees under the NAME
    what you have solved and will solve, until you say --private.

    \b
    Examples:
      clicklib progress
      clicklib progress --share Anna
      clicklib progress --private
      clicklib progress --reset
    """
    from clicklib.lessons import sharing
    from clicklib.lessons.course import Way
    from clicklib.lessons.progress import Progress

    if reset:
        Progress().reset()
    if private:
        sharing.keep_private()
    if share is not None:
        sharing.share(share)
    click.echo(str(Way()))
    if name := sharing.typed_name():
        click.echo(f"Shared with the class, under the name {name}.")
