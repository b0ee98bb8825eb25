"""What the command line owes a terminal: whole lines, errors of one line, signals that stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from clicklib.errors import ClicklibError

__all__ = ["SIGNALS", "Lines", "Program", "describe", "interruptible", "stopping"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Lines:
    """A text stream for several threads: a line leaves as a whole and at once.

    Control characters leave as escapes: keys and messages are data, not orders to the terminal.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._begun = threading.local()

    def write(self, text: str) -> int:
        line = getattr(self._begun, "line", "") + _plain(text)
        if line.endswith("\n"):
            self._begun.line = ""
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        else:
            self._begun.line = line
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _plain(text: str) -> str:
    return _CONTROL.sub(lambda control: repr(control[0])[1:-1], text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, its cause, the cause of that, …"""
    while error is not None:
        yield error
        error = error.__cause__


def describe(error: BaseException) -> str:
    """The error and its causes in one line; of an unexpected one also how to see more."""
    text = str(error)
    if not isinstance(error, ClicklibError):
        text = f"{type(error).__name__}: {text} (CLICKLIB_DEBUG=1 shows where)"
    for cause in _causes(error.__cause__):
        if str(cause) not in text:
            text += f"; cause: {type(cause).__name__}: {cause}"
    return _plain(" | ".join(line.strip() for line in text.splitlines() if line.strip()))


def _discard_output() -> None:
    """Send the rest of standard output nowhere, as its reader has gone (`clicklib demo | head`).

    Otherwise Python's last flush would complain.
    """
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Program(click.Group):
    """Turns an error into one line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if any(isinstance(cause, BrokenPipeError) for cause in _causes(error)):
                _discard_output()
                ctx.exit(0)
            if ctx.params["verbose"]:
                raise
            click.echo(f"Error: {describe(error)}", err=True)
            ctx.exit(1)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set. For the main thread.

    Once it was set, further signals do nothing, also after the end: a second Ctrl-C must not
    break into what is being closed.
    """
    stop = threading.Event()
    # Python calls a handler only when its main thread comes back from a wait, which a signal that
    # comes just before the wait does not end. The wakeup socket is written to at once.
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def relay() -> None:
        if reader.recv(1) != b"\0":
            stop.set()

    thread = threading.Thread(target=relay, name="clicklib-signals", daemon=True)
    thread.start()
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(wakeup)
        with suppress(OSError):  # full of signals
            writer.send(b"\0")
        thread.join()
        reader.close()
        writer.close()
        if not stop.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal raise KeyboardInterrupt inside; for what does not look at an event."""
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
