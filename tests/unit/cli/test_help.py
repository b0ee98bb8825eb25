"""Each command explains itself, and the Tab key completes it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from clicklib.cli import cli


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = list(commands(cli))


def found(path: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


def help_of(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_says_what_it_does_what_its_options_mean_and_how_it_is_called(
    path: tuple[str, ...],
) -> None:
    for option in found(path).params:
        assert not isinstance(option, click.Option) or option.help, option.name
    text = help_of(path)
    assert max(map(len, text.splitlines())) <= 80
    if not isinstance(found(path), click.Group):
        _, _, examples = text.partition("  Examples:\n")
        examples, _, _ = examples.partition("\n\n")
        assert f"clicklib {' '.join(path)}" in examples


def examples() -> Iterator[str]:
    for path in COMMANDS:
        for line in (found(path).help or "").splitlines():
            if line.strip().startswith("clicklib "):
                yield line.strip().partition(" | ")[0]


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_is_a_command_that_is_taken(example: str) -> None:
    words = shlex.split(example)[1:]
    command: click.Command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context("clicklib", words)  # raises what the command line would


@pytest.mark.parametrize("path", [(), ("broker",), ("class",)], ids=" ".join)
def test_the_list_of_commands_is_whole(path: tuple[str, ...]) -> None:
    _, _, listed = help_of(path).partition("\nCommands:\n")
    assert listed
    assert "..." not in listed


def test_bash_completes_commands_and_options() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    script = """
eval "$(clicklib completion bash)"
for word in la broker --up; do
    COMP_WORDS=(clicklib $word) COMP_CWORD=1
    [ $word = la ] || COMP_WORDS=(clicklib lab $word) COMP_CWORD=2
    [ $word = broker ] && COMP_WORDS=(clicklib broker sta) COMP_CWORD=2
    COMPREPLY=()
    _clicklib_completion clicklib
    echo "${COMPREPLY[*]}"
done
"""
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    done = subprocess.run(
        [bash, "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [sorted(line.split()) for line in done.stdout.splitlines()] == [
        ["lab"],
        ["start", "status"],
        ["--update"],
    ]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"_CLICKLIB_COMPLETE={shell}_complete" in result.output
