"""The terminal's part of the command line: whole lines, errors of one line, signals that stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from clicklib.errors import ClicklibError

__all__ = ["SIGNALS", "Lines", "Program", "Stop", "describe", "has_browser", "stopping"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Lines:
    """A text stream for several threads: each line is written as a whole and at once.

    Control characters become escapes: keys and messages are data, and must not control the
    terminal.
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
    """The error and its causes in one line; for an unexpected error also how to see more."""
    text = str(error)
    if not isinstance(error, ClicklibError):
        text = f"{type(error).__name__}: {text} (CLICKLIB_DEBUG=1 shows where)"
    for cause in _causes(error.__cause__):
        if str(cause) not in text:
            text += f"; cause: {type(cause).__name__}: {cause}"
    return _plain(" | ".join(line.strip() for line in text.splitlines() if line.strip()))


def has_browser() -> bool:
    """Whether this machine can open a page for its user."""
    with suppress(webbrowser.Error):
        return bool(webbrowser.get())
    return False


def _discard_output() -> None:
    """Discard the rest of standard output: its reader has ended (`clicklib demo | head`).

    Else Python's last flush would report an error.
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


class Stop(threading.Event):
    """The event that ends a command. If `raises`, a signal also raises KeyboardInterrupt, once."""

    raises = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """An event that Ctrl-C and SIGTERM set. For the main thread.

    Set `raises` around calls that do not look at the event. Once the event is set, further signals
    do nothing, also after the end: a second Ctrl-C must not interrupt the closing of the parts.

    A signal handler alone is not enough. Python calls it only when the main thread returns from a
    wait, and a signal just before the wait does not end the wait. Also, a handler that sets an
    event may interrupt a thread that holds the event's lock. So another thread sets the event; the
    system wakes this thread through a socket.
    """
    stop = Stop()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def relay() -> None:
        if reader.recv(1) != b"\0":
            stop.set()

    def handle(*_: object) -> None:
        if stop.raises:
            stop.raises = False
            raise KeyboardInterrupt

    thread = threading.Thread(target=relay, name="clicklib-signals", daemon=True)
    thread.start()
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        stop.raises = False
        signal.set_wakeup_fd(wakeup)
        with suppress(OSError):  # the socket is full of signals
            writer.send(b"\0")
        thread.join()
        reader.close()
        writer.close()
        if not stop.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)
