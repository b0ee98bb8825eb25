"""The port of a program that a notebook starts: the wanted one, or another if it is taken."""

from __future__ import annotations

import socket

import pytest

from clicklib.broker.ports import LOOPBACK, Ports, is_free
from clicklib.lessons import free_port


@pytest.fixture
def port() -> int:
    """A port that nobody has."""
    with socket.create_server((LOOPBACK, 0)) as server:
        found: int = server.getsockname()[1]
        return found


def test_the_wanted_port_is_given_again_and_again(port: int) -> None:
    assert [free_port(port), free_port(port)] == [port, port]


def test_another_one_is_found_where_a_program_listens(port: int) -> None:
    with socket.create_server((LOOPBACK, port)):
        other = free_port(port)
    assert other != port
    assert is_free(other)


def test_a_port_that_another_kernel_has_just_got_is_not_given(port: int) -> None:
    elsewhere = Ports(1)
    assert elsewhere.choose(port, None) == port
    try:
        assert free_port(port) != port
    finally:
        elsewhere.release()
    assert free_port(port) == port
