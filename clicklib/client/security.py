"""The security settings of a cluster, checked before a client gets them.

kafka-python would try settings that cannot work again and again, or ignore them.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from clicklib.errors import UsageError

__all__ = ["checked"]

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_PASSWORD_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_MECHANISMS = (*_PASSWORD_MECHANISMS, "GSSAPI", "AWS_MSK_IAM")

# At debug level these loggers write all data that are sent, with SASL's PLAIN also the password.
_WIRE = ("kafka.net.connection", "kafka.protocol.parser")


def checked(security: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as kafka-python needs them. Raises UsageError for those that cannot work."""
    protocol = security.get("security_protocol", "PLAINTEXT")
    if protocol not in _PROTOCOLS:
        raise UsageError(f"security_protocol is {' or '.join(_PROTOCOLS)}, not {protocol!r}")
    for kind in ("sasl", "ssl"):
        given = sorted(name for name in security if name.startswith(f"{kind}_"))
        if given and kind.upper() not in protocol:
            raise UsageError(f"security_protocol is {protocol}, which leaves out {given[0]}")
    if "SASL" in protocol:
        _check_login(security)
        for name in _WIRE:
            logging.getLogger(name).addFilter(_is_no_detail)
    if "SSL" not in protocol:
        return dict(security)
    if security.get("ssl_context") is None:
        _check_files(security)
    # Without a password OpenSSL would ask for it at the terminal, and block the client's thread.
    return {"ssl_password": "", **security}


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _check_login(security: Mapping[str, Any]) -> None:
    mechanism = security.get("sasl_mechanism")
    if mechanism not in _MECHANISMS:
        raise UsageError(f"sasl_mechanism is {', '.join(_MECHANISMS[:-1])} or {_MECHANISMS[-1]}")
    if mechanism in _PASSWORD_MECHANISMS:
        for name in ("sasl_plain_username", "sasl_plain_password"):
            if not isinstance(security.get(name), str):
                raise UsageError(f"{name} is missing, or no text: {mechanism} needs it")


def _check_files(security: Mapping[str, Any]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority, certificate = security.get("ssl_cafile"), security.get("ssl_certfile")
    with _naming("ssl_cafile"):
        if authority:
            context.load_verify_locations(authority)
    with _naming("ssl_certfile, ssl_keyfile and ssl_password"):
        if certificate:
            key, password = security.get("ssl_keyfile"), security.get("ssl_password") or ""
            context.load_cert_chain(certificate, key, password)


@contextlib.contextmanager
def _naming(settings: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError) as exc:
        raise UsageError(f"{settings} cannot be used: {exc}") from exc
