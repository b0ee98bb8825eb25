"""Checks the arguments of public calls, each by its name, before anything is done with them.

`_KINDS` has every name once. A name whose rule differs in some calls has variants: `timeout__wait`
is checked for a wait, and stands in the error as `timeout`. In `group__none` None is well, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import inf
from numbers import Integral, Real
from reprlib import repr as shortened
from typing import Any

from clicklib.errors import UsageError
from clicklib.given.callbacks import deferred

__all__ = ["check", "listed"]

Kind = Callable[[Any], str]
"""What is wrong with a value, as the rest of a sentence; empty if nothing is."""

# Kafka's rule for topic names (org.apache.kafka.common.internals.Topic).
_TOPIC = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")
_LONGEST = 2_000_000  # seconds: times that Kafka is told are milliseconds in 32 bits
_PLACES = ("graph", "addresses")  # a Processor has the one, a Cluster the other
_MOST = (1 << 31) - 1  # Kafka's whole numbers have 32 bits


def check(where: Mapping[str, Any] | None = None, /, **given: Any) -> None:
    """Raise UsageError for the first argument that is not of its kind; `where` is its place."""
    for name, value in given.items():
        kind = name.removesuffix("__none")
        if value is None and kind != name:
            continue
        if wrong := _KINDS[kind](value):
            raise UsageError(f"{name.partition('__')[0]} {wrong}", **(where or {}))


def listed(value: Any) -> Any:
    """A tuple of the members. A check would use up a generator. Text is not split."""
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def _shown(value: Any) -> str:
    return f"{shortened(value)} ({type(value).__name__})"


def _kind(wanted: str, fits: Callable[[Any], bool]) -> Kind:
    return lambda value: "" if fits(value) else f"is {wanted}, not {_shown(value)}"


def _or_none(kind: Kind) -> Kind:
    return lambda value: "" if value is None else kind(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        way_out = f": write {str(value)!r}" if isinstance(value, Real) and value == value else ""
        return f"is text, not {_shown(value)}{way_out}"
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return f"is text that UTF-8 can carry, not {_shown(value)}: half a surrogate pair is in it"
    return ""


def _name(value: Any) -> str:
    return _text(value) or ("" if value else "needs a name")


def _topic(value: Any) -> str:
    if isinstance(value, str) and _TOPIC.fullmatch(value):
        return ""
    rule = "Kafka takes 1 to 249 letters, digits, '.', '_', '-'"
    return f"{_shown(value)} is not a topic name: {rule}"


def _topics(value: Any) -> str:
    if not isinstance(value, tuple):
        way_out = f": write [{value!r:.260}]" if isinstance(value, str) else ""
        return f"is a list of topics, not {_shown(value)}{way_out}"
    return next(filter(None, map(_topic, value)), "")


def _whole(least: float, most: float = _MOST) -> Kind:
    limits = f" of at least {least}" if most == inf else f" between {least} and {most}"
    limits = "" if least == -inf else limits
    return _kind(
        f"a whole number{limits}",
        lambda value: _is(Integral, value) and least <= value <= most,
    )


def _seconds(least: float, most: float = 1e9) -> Kind:
    limits = "" if least == -inf else f" between {least:g} and {most:.0f}"
    return _kind(
        f"a number of seconds{limits}",
        # Locks take no other numbers, such as a Fraction.
        lambda value: _is((float, Integral), value) and least <= value <= most,
    )


def _is(kind: type | tuple[type, ...], value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _one_of(*words: str) -> Kind:
    choices = f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
    return _kind(choices, lambda value: isinstance(value, str) and value in words)


def _with(wanted: str, *names: str) -> Kind:
    return _kind(wanted, lambda value: all(hasattr(value, name) for name in names))


def _codec(value: Any) -> str:
    if isinstance(value, type):
        return f"is a class: write {value.__name__}()"
    for name in ("encode", "decode"):
        method = getattr(value, name, None)
        if not callable(method):
            return f"has no method {name}: {_shown(value)}"
        if wrong := deferred(method):
            return f"has a method {name} that {wrong}"
    return ""


def _callback(value: Any) -> str:
    if not callable(value):
        return f"cannot be called: give a function, not {_shown(value)}"
    return deferred(value)


def _mapping(of: str, fits: Callable[[Any], bool], write: Callable[[Any], str]) -> Kind:
    """Texts and their values. `write` says how to write one that does not fit."""

    def wrong(value: Any) -> str:
        if not isinstance(value, Mapping):
            return f"is a dict of {of}, not {_shown(value)}"
        for name, each in value.items():
            if _text(name) or any("\ud800" <= letter <= "\udfff" for letter in name):
                return f"is a dict of {of}, and {_shown(name)} in it is no name"
            if not fits(each):
                return f"is a dict of {of}, and {name!r} has {_shown(each)}{write(each)}"
        return ""

    return wrong


def _setting(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f": write {text!r:.60}" if isinstance(value, Real) else ""


def _header(value: Any) -> str:
    return f": write {value.encode(errors='replace')!r:.60}" if isinstance(value, str) else ""


# Their values may be secrets, which no error shows.
def _addresses(value: Any) -> str:
    many = value if isinstance(value, tuple) else (value,)
    others = [each for each in many if not isinstance(each, str)]
    wanted = "'host:port', a list of such texts, or a Cluster"
    return f"is {wanted}, not {type(others[0]).__name__}" if others else ""


def _security(value: Any) -> str:
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return ""
    return f"is a dict of kafka-python's settings by their names, not {type(value).__name__}"


def _texts(value: Any) -> str:
    if isinstance(value, tuple):
        return next(filter(None, map(_text, value)), "")
    way_out = f": write [{value!r:.260}]" if isinstance(value, str) else ""
    return f"is a list of texts, not {_shown(value)}{way_out}"


def _one_or_many(kind: Kind) -> Kind:
    def wrong(value: Any) -> str:
        many = value if isinstance(value, list | tuple) else (value,)
        return next(filter(None, map(kind, many)), "")

    return wrong


_emitter = _with("an Emitter", "emit", "stats", "topic")
_breakable = _with("a BreakableProcessor, or a list of them", "slow_users", "impossible")
_processor = _with("a Processor, or a list of them", "graph", "partitions")
_where = _kind(
    "a Processor, a list of them, or the brokers",
    lambda value: any(isinstance(value, str) or hasattr(value, each) for each in _PLACES),
)
_wait = _seconds(-inf)
_flag = _kind("True or False", lambda value: isinstance(value, Integral) and value in (0, 1))

_KINDS: dict[str, Kind] = {
    "address": _text,
    "addresses": _addresses,
    "brokers": _addresses,
    "arguments": _texts,
    "before": _or_none(_with("a Victim", "again", "folder")),
    "buffer": _whole(1, inf),
    "callback": _callback,
    "callback__code": lambda value: (
        _callback(value) or _with("a function that a cell defines", "__code__")(value)
    ),
    "codec": _codec,
    "commit_interval": _seconds(0, inf),
    "cluster": _addresses,
    "configs": _or_none(_mapping("texts", lambda each: isinstance(each, str), _setting)),
    "connect_timeout": _seconds(0),
    "count": _callback,
    "data": _kind("bytes or None", lambda value: isinstance(value, bytes | None)),
    "delivery_timeout": _seconds(0.001),
    "depth": _whole(0),
    "draw": _flag,
    "emitter": _emitter,
    "emitter__many": _or_none(_one_or_many(_emitter)),
    "environ": _or_none(_with("a mapping such as os.environ", "get", "keys")),
    "fault": _text,
    "frame": _with("a DataFrame", "columns", "index", "reset_index"),
    "freeze": _flag,
    "graph": _with("a graph that define_group made", "inputs", "persist", "table"),
    "group": _name,
    "guarantee": _one_of("at_least_once", "exactly_once"),
    "guarantee__steps": _one_of("at_most_once", "at_least_once", "exactly_once"),
    "headers": _or_none(_mapping("text and bytes", lambda each: isinstance(each, bytes), _header)),
    "headers__read": _or_none(
        _mapping("text and bytes", lambda each: isinstance(each, bytes | None), _header)
    ),
    "height": _whole(1),
    "holds": _callback,
    "host": _name,  # sockets take the empty text for all addresses
    "inputs": lambda value: _topics(value) or ("" if value else "is empty: name a topic"),
    "key": _text,
    "key__bytes": _kind("bytes", lambda value: isinstance(value, bytes)),
    "ledger": _or_none(_with("a Ledger", "mark")),
    "lines": _whole(0),
    "limit": _whole(1),
    "linger": _seconds(0),
    "max_poll_interval": _seconds(0.001, _LONGEST),
    "message": _callback,
    "mismatch": _one_of("ignore", "warn", "fail"),
    "name": _topic,
    "moment": _wait,
    "names": _with("a dict of names by their partitions", "keys", "values"),
    "nodes": _whole(1, 99),
    "number": _whole(1),
    "on_rebalance": _or_none(_callback),
    "on_update": _or_none(_callback),
    "pairs": lambda value: (
        _with("messages with their keys", "__iter__")(value)
        or ("is a dict: write its name with .items()" if isinstance(value, Mapping) else "")
    ),
    "partitions": _whole(1),
    "port": _whole(0, 65535),
    "port__any": _or_none(_whole(1, 65535)),
    "prefix": _text,
    "processor": _or_none(_one_or_many(_processor)),
    "processors": _one_or_many(_breakable),
    "progress": _flag,
    "replication": _or_none(_whole(1, 32767)),
    "security": _security,
    "session_timeout": _seconds(0.2, _LONGEST),
    "slow_users": _texts,
    "stale": _flag,
    "start": _one_of("oldest", "newest"),
    "state_dir": _or_none(
        _kind("a path", lambda value: isinstance(value, str) or hasattr(value, "__fspath__"))
    ),
    "step": _seconds(0.001),
    "stop": _flag,
    "stream": _topic,
    "storage": _one_of("lmdb", "memory"),
    "table": _topic,
    "target": _whole(0),
    "text": _text,
    "through": _or_none(_addresses),
    "timeout": _seconds(0),
    "timeout__ever": _or_none(_seconds(-inf, inf)),
    "timeout__wait": _wait,
    "timeout__or_none": _or_none(_wait),
    "times": _whole(0),
    "timestamp": _whole(-inf, inf),
    "topic": _topic,
    "topics": _topics,
    "until": _wait,
    "users": _whole(1),
    "view": _with("a View", "get", "items", "state"),
    "wanted": _whole(0, 65535),
    "what": _text,
    "where": _or_none(_one_or_many(_where)),
    "window": _seconds(1),
    "word": _topic,
}
