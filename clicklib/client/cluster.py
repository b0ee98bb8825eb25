"""The addresses of Kafka and its security settings: a `Cluster`, which shows no secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clicklib.errors import UsageError
from clicklib.given import check, listed

__all__ = ["Brokers", "Cluster"]

_VARIABLES = {
    "CLICKLIB_SECURITY_PROTOCOL": "security_protocol",
    "CLICKLIB_SASL_MECHANISM": "sasl_mechanism",
    "CLICKLIB_SASL_USERNAME": "sasl_plain_username",
    "CLICKLIB_SASL_PASSWORD": "sasl_plain_password",
    "CLICKLIB_SSL_CAFILE": "ssl_cafile",
    "CLICKLIB_SSL_CERTFILE": "ssl_certfile",
    "CLICKLIB_SSL_KEYFILE": "ssl_keyfile",
    "CLICKLIB_SSL_PASSWORD": "ssl_password",
}
# A name or an IPv4 address, or an IPv6 address in brackets; and a port.
_ADDRESS = re.compile(r"(?:[^\s:@/\[\]]+|\[[0-9A-Fa-f:.]+(?:%\w+)?\])(?::([0-9]{1,5}))?")
_SECRETS = ("sasl_plain_password", "ssl_password")
_SETTINGS = frozenset(_VARIABLES.values()) | {"ssl_check_hostname", "ssl_context"}


@dataclass(frozen=True)
class Cluster:
    """The addresses of a Kafka cluster, and kafka-python's security settings for it.

    `security` takes kafka-python's own names: `security_protocol`, `sasl_mechanism`,
    `sasl_plain_username`, `sasl_plain_password`, `ssl_cafile`, `ssl_certfile`, `ssl_keyfile`,
    `ssl_password`, `ssl_check_hostname`, `ssl_context`. Its values never appear in the repr.
    Raises UsageError if there is no address, or an impossible one, or an unknown setting.
    """

    addresses: tuple[str, ...]
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        given = listed(self.addresses)
        check(addresses=given, security=self.security)
        given = given.split(",") if isinstance(given, str) else given
        addresses = tuple(address.strip() for address in given if address.strip())
        for address in addresses:
            _check(address)
        if not addresses:
            raise UsageError("no broker address given: name at least one as 'host:port'")
        unknown = set(self.security) - _SETTINGS
        if unknown:
            raise UsageError(
                f"unknown security settings: {', '.join(sorted(unknown))}; "
                f"known are {', '.join(sorted(_SETTINGS))}"
            )
        object.__setattr__(self, "addresses", addresses)
        secrets = {n: _Secret(v) for n, v in self.security.items() if n in _SECRETS and v}
        object.__setattr__(self, "security", {**self.security, **secrets})

    def __hash__(self) -> int:
        return hash(self.addresses)

    def __str__(self) -> str:
        return ",".join(self.addresses)

    @classmethod
    def of(cls, brokers: Brokers) -> Cluster:
        """A Cluster from a Cluster, one address, or a list of addresses."""
        if isinstance(brokers, Cluster):
            return brokers
        addresses = listed(brokers)
        check(brokers=addresses)
        return cls(addresses)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Cluster | None:
        """The cluster that `CLICKLIB_BROKERS` names (comma-separated), or None if it is unset.

        Besides, `CLICKLIB_SECURITY_PROTOCOL`, `CLICKLIB_SASL_MECHANISM`,
        `CLICKLIB_SASL_USERNAME`, `CLICKLIB_SASL_PASSWORD`, `CLICKLIB_SSL_CAFILE`,
        `CLICKLIB_SSL_CERTFILE`, `CLICKLIB_SSL_KEYFILE` and `CLICKLIB_SSL_PASSWORD` are read.
        """
        check(environ=environ)
        environ = os.environ if environ is None else environ
        addresses = environ.get("CLICKLIB_BROKERS", "").strip()
        if not addresses:
            return None
        security = {name: environ[v] for v, name in _VARIABLES.items() if environ.get(v)}
        return cls(tuple(addresses.split(",")), security)


class _Secret(str):
    """Text that its repr hides: kafka-python logs its settings, and tracebacks may show them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def _check(address: str) -> None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[1] or 9092) < 65536:
        # The text before an '@' may be a password.
        shown = "one of them" if "@" in address else repr(address)
        raise UsageError(
            f"a broker address is 'host:port', and {shown} is not; user name and password are "
            "settings of their own"
        )


Brokers = Cluster | str | Sequence[str]
"""The type of `brokers` in every constructor."""
