"""The books of a stream and its table: which clicks the table should hold, and which it does.

Rules only: no thread, no clock, no client. For one thread.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Balance", "Books"]


@dataclass(frozen=True)
class Balance:
    """The clicks of all users at one moment. None is a number that nobody can know.

    `logged` are in the stream. Of these, `waiting` have not been counted yet, and `lost` will
    never be: the group has committed them, and the table does not hold them. `twice` were counted
    too often. So `counted` is `logged - waiting - lost + twice`, but for clicks before the books.
    """

    logged: int
    counted: float
    waiting: float
    lost: float | None
    twice: float | None


class Books:
    """Compares the clicks of each user in the stream with the number in this user's row.

    Of each partition they know the clicks from the offset in `starts` on. If that is not 0, the
    rows hold older clicks too. How many is known as soon as no click waits: what the rows hold more
    than the stream is then carried over, and losses are counted from this moment on.

    A lost click of a user and another one that was counted twice are not told apart from none.
    """

    def __init__(self, starts: Mapping[int, int]) -> None:
        self.positions = dict(starts)
        self._logged: Counter[str] = Counter()
        self._handled: Counter[str] = Counter()
        self._open: dict[int, deque[tuple[int, str]]] = {p: deque() for p in starts}
        self._committed: dict[int, int] = {}
        self._carried: dict[str, float] | None = None if any(starts.values()) else {}

    def click(self, partition: int, offset: int, user: str) -> None:
        """Enter a click of the stream; those of a partition come in the order of their offsets.

        One that was entered is not entered again: a reader that connects anew may read it twice.
        """
        if offset < self.positions[partition]:
            return
        self._logged[user] += 1
        self._open[partition].append((offset, user))
        self.positions[partition] = offset + 1
        self._handle(partition)

    def read_to(self, partition: int, position: int) -> None:
        """Note that there is no further click before this position."""
        self.positions[partition] = max(position, self.positions[partition])

    def commit(self, partition: int, offset: int) -> bool:
        """Enter what the group has committed. False: less than before, so begin new books."""
        before, self._committed[partition] = self._committed.get(partition, 0), offset
        self._handle(partition)
        return offset >= before

    def _handle(self, partition: int) -> None:
        opened, committed = self._open[partition], self._committed.get(partition, 0)
        while opened and opened[0][0] < committed:
            self._handled[opened.popleft()[1]] += 1

    @property
    def may_carry(self) -> bool:
        """Whether it is time to carry over what the rows hold more than the stream."""
        return self._carried is None and not any(self._open.values())

    def carry(self, counted: Mapping[str, float]) -> None:
        """Carry over what these rows hold more than the stream, if it is time to."""
        if self.may_carry:
            users = counted.keys() | self._logged.keys()
            self._carried = {user: counted.get(user, 0) - self._logged[user] for user in users}

    def balance(self, counted: Mapping[str, float], acknowledged: int = 0) -> Balance:
        """Compare the clicks so far with the rows: the number of each user.

        Kafka must have at least `acknowledged` clicks: what it has less is lost too.
        """
        logged, total = self._logged.total(), sum(counted.values())
        if self._carried is None:
            return Balance(logged, total, sum(map(len, self._open.values())), None, None)
        lost = missing = twice = 0.0
        for user in counted.keys() | self._logged.keys():
            number = counted.get(user, 0) - self._carried.get(user, 0)
            lost += max(0, self._handled[user] - number)
            missing += max(0, self._logged[user] - number)
            twice += max(0, number - self._logged[user])
        gone = 0 if self._carried else max(0, acknowledged - logged)
        return Balance(logged, total, missing - lost, lost + gone, twice)
