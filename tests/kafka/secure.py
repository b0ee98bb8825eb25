"""A Kafka node that asks for passwords and certificates, and those that it knows."""

from __future__ import annotations

import contextlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from clicklib.broker.node import Node
from clicklib.broker.ports import LOOPBACK, Ports
from clicklib.client.cluster import Cluster
from tests.support.nodes import prepare, running
from tests.waiting import wait_until

USER, PASSWORD, KEY_PASSWORD = "reader", "hunter2-of-sasl", "hunter3-of-the-key"


class Certificates:
    """An authority, a server's certificate for the loopback address, and a client's, as PEM."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority, key = folder / "ca.pem", folder / "ca.key"
        _openssl("req", "-x509", *_new_key(key), "-subj", "/CN=ca", "-out", self.authority)
        self.server = self._sign("server", f"subjectAltName=IP:{LOOPBACK}")
        self.client = self._sign("client", "extendedKeyUsage=clientAuth", KEY_PASSWORD)

    @property
    def client_key(self) -> Path:
        """The client's private key, encrypted."""
        return self.client.with_suffix(".key")

    def _sign(self, name: str, extension: str, password: str | None = None) -> Path:
        key, request = self._folder / f"{name}.key", self._folder / f"{name}.csr"
        certificate, extensions = self._folder / f"{name}.pem", self._folder / f"{name}.ext"
        extensions.write_text(extension)
        _openssl("req", "-new", *_new_key(key, password), "-subj", f"/CN={name}", "-out", request)
        authority = ("-CA", self.authority, "-CAkey", self.authority.with_suffix(".key"))
        signed = ("-in", request, "-extfile", extensions, "-out", certificate)
        _openssl("x509", "-req", *authority, "-CAcreateserial", *signed)
        return certificate


def _new_key(path: Path, password: str | None = None) -> tuple[object, ...]:
    protection = ("-nodes",) if password is None else ("-passout", f"pass:{password}")
    curve = ("-pkeyopt", "ec_paramgen_curve:prime256v1")
    return ("-newkey", "ec", *curve, "-keyout", path, *protection)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class SecureKafka:
    """The node: open to its own machine's administrator, and to others by password or by key."""

    def __init__(self, folder: Path) -> None:
        self.certificates = Certificates(folder)
        self._ports = Ports(5)
        # Not near 9092: another test's endpoint may take 9095 while Kafka starts.
        first = self._ports.choose(None, random.randrange(9_202, 11_002, 10))
        self.node = Node(1, folder / "node", first, first + 1)
        self._listeners = {
            name: f"{LOOPBACK}:{first + offset}"
            for offset, name in enumerate(("SASL_PLAINTEXT", "SSL", "SASL_SSL"), 2)
        }
        prepare(self.node, self._settings())

    def _settings(self) -> dict[str, object]:
        files = self.certificates
        pair = files.server.with_suffix(".both")
        pair.write_text(files.server.with_suffix(".key").read_text() + files.server.read_text())
        named = ",".join(f"{name}://{address}" for name, address in self._listeners.items())
        plain = f"PLAINTEXT://{self.node.address}"
        controller = f"CONTROLLER://{LOOPBACK}:{self.node.controller_port}"
        protocols = [f"{name}:{name}" for name in ("PLAINTEXT", *self._listeners)]
        login = "org.apache.kafka.common.security"
        return {
            "listeners": f"{plain},{named},{controller}",
            "advertised.listeners": f"{plain},{named}",
            "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            **{
                f"listener.name.{listener}.{mechanism}.sasl.jaas.config": f"{login}.{module};"
                for listener in ("sasl_plaintext", "sasl_ssl")
                for mechanism, module in (
                    ("plain", f'plain.PlainLoginModule required user_{USER}="{PASSWORD}"'),
                    ("scram-sha-256", "scram.ScramLoginModule required"),
                    ("scram-sha-512", "scram.ScramLoginModule required"),
                )
            },
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": pair,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": files.authority,
            "listener.name.ssl.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
            "super.users": "User:ANONYMOUS",  # who comes without a password, and the node itself
            "group.min.session.timeout.ms": 6000,  # Kafka's default
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[SecureKafka]:
        """Run it. Its data stay."""
        with running(self.node):
            yield self

    def let_in(self, password: str) -> None:
        """Give the user of SCRAM this password, at once and for ever."""
        admin = KafkaAdminClient(bootstrap_servers=self.node.address)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            user = UserScramCredentialUpsertion(USER, mechanism, password)
            assert admin.alter_user_scram_credentials([user]) == {USER: None}
        admin.close()

    @contextlib.contextmanager
    def denying(self, kind: ResourceType, name: str, operation: ACLOperation) -> Iterator[None]:
        """Meanwhile the user may do all with a resource but `operation`."""
        pattern, user = ResourcePattern(kind, name), f"User:{USER}"
        rules = ((ACLOperation.ALL, ACLPermissionType.ALLOW), (operation, ACLPermissionType.DENY))
        admin = KafkaAdminClient(bootstrap_servers=self.node.address)
        made = [ACL(user, "*", each, permission, pattern) for each, permission in rules]
        its = ACLFilter(user, "*", ACLOperation.ANY, ACLPermissionType.ANY, pattern)
        assert admin.create_acls(made)["failed"] == []
        wait_until("the node knows", lambda: len(admin.describe_acls(its)[0]) == len(made))
        yield
        admin.delete_acls([its])
        wait_until("the node has forgotten", lambda: not admin.describe_acls(its)[0])
        admin.close()

    def address(self, protocol: str) -> str:
        """Where it listens with this protocol."""
        return self._listeners[protocol]

    def cluster(self, protocol: str, **changes: str | None) -> Cluster:
        """It, as one reaches it who has the right password and certificate but for `changes`.

        None leaves a setting out.
        """
        files = self.certificates
        security: dict[str, str | None] = {"security_protocol": protocol}
        if "SASL" in protocol:
            security |= {
                "sasl_mechanism": "SCRAM-SHA-256",
                "sasl_plain_username": USER,
                "sasl_plain_password": PASSWORD,
            }
        if "SSL" in protocol:
            security["ssl_cafile"] = str(files.authority)
        if protocol == "SSL":
            security |= {
                "ssl_certfile": str(files.client),
                "ssl_keyfile": str(files.client_key),
                "ssl_password": KEY_PASSWORD,
            }
        chosen = {name: v for name, v in {**security, **changes}.items() if v is not None}
        return Cluster((self.address(protocol),), chosen)
