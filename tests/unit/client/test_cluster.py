"""A Cluster says where Kafka is, and keeps its secrets."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clicklib import Cluster
from clicklib.errors import UsageError

SECURITY = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "reader",
    "sasl_plain_password": "hunter2",
}


@pytest.mark.parametrize(
    ("brokers", "addresses"),
    [
        ("localhost:9092", ("localhost:9092",)),
        (["a:1", "b:2"], ("a:1", "b:2")),
        (("a:1",), ("a:1",)),
        ([" a:1 ", "", "b:2"], ("a:1", "b:2")),
        (Cluster(("a:1",)), ("a:1",)),
        (Cluster("a:1, b:2"), ("a:1", "b:2")),  # type: ignore[arg-type]
    ],
)
def test_brokers_are_an_address_or_several_or_a_cluster(
    brokers: Any, addresses: tuple[str, ...]
) -> None:
    cluster = Cluster.of(brokers)
    assert cluster.addresses == addresses
    assert str(cluster) == ",".join(addresses)


def test_a_cluster_is_taken_as_it_is() -> None:
    cluster = Cluster(("a:1",), SECURITY)
    assert Cluster.of(cluster) is cluster


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("no broker address", lambda: Cluster(())),
        ("no broker address", lambda: Cluster.of("")),
        ("no broker address", lambda: Cluster.of([" "])),
        ("no broker address", lambda: Cluster.from_environment({"CLICKLIB_BROKERS": ","})),
        ("unknown security settings: bogus, other", lambda: Cluster(
            ("a:1",), {"other": 1, "bogus": "hunter2"}
        )),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(words: str, make: Callable[[], Any]) -> None:
    with pytest.raises(UsageError) as raised:
        make()
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    ["a:0", "a:65536", "a:x", "a:", ":1", "a:1:2", "::1", "[::1", "[]:1", "a b:1", "a/b:1", "a:-1"],
)
def test_what_is_no_address_is_refused_and_named(address: str) -> None:
    with pytest.raises(UsageError, match="a broker address is 'host:port'") as raised:
        Cluster(("good:1", address))
    assert repr(address) in str(raised.value)


@pytest.mark.parametrize("address", ["a", "a-b.c_d", "127.0.0.1:65535", "[::1]:1", "[f::%lo]:1"])
def test_names_and_addresses_of_hosts_are_taken(address: str) -> None:
    assert Cluster.of(address).addresses == (address,)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="settings of their own") as raised:
        Cluster.of("a:1,reader:hunter2@b:2")
    assert "hunter2" not in str(raised.value)
    assert "reader" not in str(raised.value)


@given(st.one_of(st.text(), st.lists(st.text(max_size=8))))
def test_any_text_is_a_cluster_or_a_usage_error(brokers: Any) -> None:
    with contextlib.suppress(UsageError):
        for address in Cluster.of(brokers).addresses:
            assert address == address.strip() != ""


def test_it_shows_no_secret() -> None:
    cluster = Cluster(("a:1",), SECURITY | {"ssl_password": "hunter3"})
    shown = [repr(cluster), str(cluster), f"{cluster}", repr([cluster])]
    for text in shown:
        assert "reader" not in text
    # Its settings are there to be looked at; their secrets are not.
    for text in [*shown, repr(cluster.security), f"{cluster.security}", repr(vars(cluster))]:
        assert "hunter" not in text
    assert cluster.security["sasl_plain_password"] == "hunter2"


def test_equal_settings_are_equal_clusters_and_can_be_keys() -> None:
    one, other = Cluster(("a:1",), SECURITY), Cluster(("a:1",), dict(SECURITY))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Cluster(("a:1",))
    assert one != Cluster(("b:1",), SECURITY)


def test_a_cluster_does_not_change_with_what_it_was_made_of() -> None:
    security = dict(SECURITY)
    cluster = Cluster(("a:1",), security)
    security["sasl_plain_password"] = "other"
    assert cluster.security == SECURITY
    with pytest.raises(FrozenInstanceError):
        cluster.addresses = ("b:1",)  # type: ignore[misc]


def test_a_context_of_tls_is_a_setting() -> None:
    context = ssl.create_default_context()
    cluster = Cluster(("a:1",), {"ssl_context": context, "ssl_check_hostname": False})
    assert cluster.security["ssl_context"] is context


@pytest.mark.parametrize("environ", [{}, {"CLICKLIB_BROKERS": ""}, {"CLICKLIB_BROKERS": "  "}])
def test_without_the_variable_there_is_no_cluster(environ: dict[str, str]) -> None:
    assert Cluster.from_environment(environ) is None


def test_the_environment_names_addresses_and_security() -> None:
    cluster = Cluster.from_environment(
        {
            "CLICKLIB_BROKERS": "a:1, b:2",
            "CLICKLIB_SECURITY_PROTOCOL": "SASL_SSL",
            "CLICKLIB_SASL_MECHANISM": "SCRAM-SHA-512",
            "CLICKLIB_SASL_USERNAME": "reader",
            "CLICKLIB_SASL_PASSWORD": "hunter2",
            "CLICKLIB_SSL_CAFILE": "/ca",
            "CLICKLIB_SSL_CERTFILE": "/cert",
            "CLICKLIB_SSL_KEYFILE": "/key",
            "CLICKLIB_SSL_PASSWORD": "hunter3",
            "CLICKLIB_OTHER": "ignored",
        }
    )
    assert cluster == Cluster(
        ("a:1", "b:2"),
        {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "reader",
            "sasl_plain_password": "hunter2",
            "ssl_cafile": "/ca",
            "ssl_certfile": "/cert",
            "ssl_keyfile": "/key",
            "ssl_password": "hunter3",
        },
    )


def test_an_empty_variable_is_as_good_as_none() -> None:
    environ = {"CLICKLIB_BROKERS": "a:1", "CLICKLIB_SASL_PASSWORD": ""}
    assert Cluster.from_environment(environ) == Cluster(("a:1",))


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_BROKERS", "a:1")
    for name in ("SECURITY_PROTOCOL", "SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"):
        monkeypatch.delenv(f"CLICKLIB_{name}", raising=False)
    for name in ("CAFILE", "CERTFILE", "KEYFILE", "PASSWORD"):
        monkeypatch.delenv(f"CLICKLIB_SSL_{name}", raising=False)
    assert Cluster.from_environment() == Cluster(("a:1",))
