"""The tree of errors, and what each of them tells."""

from __future__ import annotations

import concurrent.futures
import copy
import inspect
import multiprocessing
import pickle
import re

import pytest

from clicklib import errors
from clicklib.client.faults import OutOfRange
from clicklib.errors import CallbackError, ClicklibError, CodecError

ERRORS = [name for name in errors.__all__ if inspect.isclass(getattr(errors, name))]

PARENTS = {
    "ClicklibError": "Exception",
    "UsageError": "ClicklibError",
    "DataError": "ClicklibError",
    "CodecError": "DataError",
    "CallbackError": "DataError",
    "StoreError": "ClicklibError",
    "KafkaError": "ClicklibError",
    "TopicError": "KafkaError",
    "DeliveryError": "KafkaError",
    "UnavailableError": "KafkaError",
    "LocalBrokerError": "KafkaError",
    "InternalError": "ClicklibError",
}


def test_the_tree_is_as_it_is_promised() -> None:
    found = {name: getattr(errors, name).__bases__[0].__name__ for name in ERRORS}
    assert found == PARENTS


def test_the_docstring_draws_the_whole_tree() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^    [ │├└─]*([A-Z]\w+Error)\b", errors.__doc__, re.MULTILINE)
    assert sorted(drawn) == sorted(ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_carries_its_place_and_has_a_sentence(name: str) -> None:
    kind = getattr(errors, name)
    error = kind("no", topic="clicks", partition=3, offset=7, key="user-3")
    assert (error.topic, error.partition, error.offset, error.key) == ("clicks", 3, 7, "user-3")
    assert kind.__doc__.endswith(".")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "no"),
        ({"topic": "clicks"}, "no (topic clicks)"),
        ({"partition": 0, "offset": 0}, "no (partition 0, offset 0)"),
        ({"key": ""}, "no (key '')"),
        ({"key": "a\n'b"}, 'no (key "a\\n\'b")'),
        (
            {"topic": "clicks", "partition": 3, "offset": 7, "key": "a"},
            "no (topic clicks, partition 3, offset 7, key 'a')",
        ),
    ],
)
def test_the_message_names_what_is_known(place: dict, text: str) -> None:
    assert str(CodecError("no", **place)) == text


def test_a_long_key_is_cut_in_the_message_but_kept_as_the_attribute() -> None:
    error = CodecError("no", key="k" * 5_000)
    assert str(error) == f"no (key {'k' * 80 + '…'!r})"
    assert error.key == "k" * 5_000


def of_a_child(error: ClicklibError) -> ClicklibError:
    """The error as it comes out of another process."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        raised = pool.submit(throw, error).exception(30)
    assert isinstance(raised, ClicklibError)
    return raised


def throw(error: ClicklibError) -> None:
    try:
        {}["cause"]
    except KeyError as cause:
        raise error from cause


KINDS = [getattr(errors, name) for name in ERRORS] + [OutOfRange]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_a_copy_and_another_process(kind, again) -> None:
    before = kind("no", topic="clicks", partition=3, key="a")
    before.add_note("then: more")
    before.__cause__ = ValueError("why")
    error = again(before)
    assert type(error) is kind
    assert str(error) == "no (topic clicks, partition 3, key 'a')"
    assert (error.topic, error.partition, error.offset, error.key) == ("clicks", 3, None, "a")
    assert error.__notes__ == ["then: more"]


def test_an_error_comes_out_of_a_child_process() -> None:
    error = of_a_child(CallbackError("no", topic="clicks", partition=3, offset=7, key="a"))
    assert type(error) is CallbackError
    assert (error.topic, error.partition, error.offset, error.key) == ("clicks", 3, 7, "a")
    assert "KeyError: 'cause'" in str(error.__cause__)


def test_one_clause_catches_them_all() -> None:
    assert all(issubclass(getattr(errors, name), ClicklibError) for name in ERRORS)
