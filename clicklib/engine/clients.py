"""The two clients of a membership: its inputs and its flusher, connected side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from clicklib.client.group_reader import GroupReader
from clicklib.client.limit import until
from clicklib.client.retry import Patience, aside
from clicklib.engine.flusher import Flusher
from clicklib.engine.lifecycle import Lifecycle
from clicklib.errors import TopicError, UnavailableError

__all__ = ["Clients"]

T = TypeVar("T")


class Clients:
    """Connects inputs and flusher, again and again if need be. For one thread.

    The flusher connects on a thread of its own. Over a slow link the group is joined meanwhile.
    Each topic has so many `partitions`. `open_flusher` and `open_reader` get the seconds that
    connecting may take.
    """

    def __init__(
        self,
        life: Lifecycle,
        timeout: float,
        partitions: int,
        open_flusher: Callable[[float], Flusher],
        open_reader: Callable[[float], GroupReader],
    ) -> None:
        self._life, self._timeout, self._partitions = life, timeout, partitions
        self._open_flusher, self._open_reader = open_flusher, open_reader
        self._ended = False  # whether the flusher is not wanted any more
        self._flusher: Flusher | None = None

    def connect(self, gives_up: Callable[[], bool]) -> GroupReader | None:
        """Connect the inputs, and begin to connect the flusher; None if it stopped before.

        An error that may pass is raised once `gives_up()` is true.
        """
        self._flusher, self._ended = None, False
        self._opening = aside(lambda: self._trying(self._open_flusher, gives_up))
        reader = None
        try:
            reader = self._trying(self._open_reader, gives_up)
            return reader
        finally:
            if reader is None:
                self.close_flusher()
            else:
                self._input_topics = reader.watch(self._partitions)

    def _trying(self, connect: Callable[[float], T], gives_up: Callable[[], bool]) -> T | None:
        patience = Patience(self._timeout)
        while not (self._life.stopping or self._ended):
            try:
                with until(lambda: self._ended):
                    return connect(patience.seconds)
            except (UnavailableError, TopicError) as exc:
                # A broker that has just started may not know the topics yet.
                if gives_up() or (isinstance(exc, TopicError) and patience.is_over):
                    raise
                self._life.wait_for_broker(exc)
                patience.grow()
        return None

    @property
    def flusher(self) -> Flusher | None:
        """The flusher, once it is connected. Raises the error that kept it from that."""
        if self._flusher is None and self._opening.done():
            self._flusher = self._opening.result()
            if self._flusher is not None:
                self._table_topic = self._flusher.watch(self._partitions)
        return self._flusher

    def close_flusher(self) -> None:
        """Close the flusher, also one that is still connecting; repeatable.

        It must not appear after its successor.
        """
        self._ended = True
        while not self._opening.done() and self._life.time_left():
            wait([self._opening], timeout=0.1)
        self._opening.add_done_callback(self._close)  # at once, if it is done

    def _close(self, opening: Future[Flusher | None]) -> None:
        flusher = None if opening.exception() else opening.result()
        if flusher is not None:
            flusher.close(min(1.0, self._life.time_left()))

    def check_topics(self) -> str:
        """The names of inputs that were made anew.

        Raises TopicError if topics have changed so that the work cannot go on.
        """
        if self._input_topics.error is not None:
            raise self._input_topics.error
        if self.flusher is not None:
            if self._table_topic.error is not None:
                raise self._table_topic.error
            for topic in self._table_topic.remade:
                text = "the table was made anew and has lost its rows: start this again"
                raise TopicError(text, topic=topic)
        return ", ".join(sorted(self._input_topics.remade))
