"""Kafka behind passwords and certificates: it works, it says no clearly, and nothing leaks."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from kafka.admin import (
    ACLOperation,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourceType,
)

from clicklib import Cluster, Emitter, Groups, Processor, View, broker, clicks
from clicklib.client import failing
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from clicklib.errors import KafkaError, UnavailableError, UsageError
from clicklib.web import Endpoint
from tests.kafka.conftest import counts
from tests.kafka.secure import KEY_PASSWORD, PASSWORD, SecureKafka
from tests.support.long import GUARANTEES
from tests.waiting import wait_until

# kafka-python leaves sockets open whose handshake failed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")

WRONG = "hunter4-which-is-wrong"
SECRETS = (PASSWORD, KEY_PASSWORD, WRONG)
TRIES = 2  # connections in which a client may learn that it is refused


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made with the command openssl, which is not there")
    with SecureKafka(tmp_path_factory.mktemp("secure")).running() as kafka:
        kafka.let_in(PASSWORD)
        yield kafka
    gc.collect()


def count_clicks(cluster: Cluster, name: str, guarantee: Any = "at_least_once") -> list[object]:
    """A click from the emitter to the view; returns all that took part."""
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    with TopicManager(cluster) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)
        processor = Processor(cluster, graph, guarantee=guarantee, storage="memory")
        view = View(cluster, graph.table, clicks.UserCodec(), storage="memory")
        with (
            processor.start().wait_running(),
            view.start().wait_running(),
            Emitter(cluster, f"{name}-clicks", String()) as emitter,
        ):
            emitter.emit_sync("user-3", "now")
            wait_until("it is counted", lambda: view.get("user-3") == clicks.User(1))
    return [topics, processor, view, emitter, processor.stats(), view.stats(), graph]


@GUARANTEES
@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        ("SASL_PLAINTEXT", {}),
        ("SASL_SSL", {"sasl_mechanism": "SCRAM-SHA-512"}),
        ("SSL", {}),
    ],
)
def test_a_click_is_counted_behind_passwords_and_certificates(
    secure, name, protocol, changes, guarantee
):
    count_clicks(secure.cluster(protocol, **changes), name, guarantee)


def shown(error: BaseException) -> str:
    """Its traceback as the most talkative tools print it, with all variables but the test's."""
    assert error.__traceback__ is not None
    below = error.with_traceback(error.__traceback__.tb_next)
    return "".join(traceback.TracebackException.from_exception(below, capture_locals=True).format())


REFUSED = [
    ("SASL_PLAINTEXT", {"sasl_plain_password": WRONG}),
    ("SASL_PLAINTEXT", {"sasl_plain_username": "nobody"}),
    ("SASL_PLAINTEXT", {"sasl_plain_password": WRONG, "sasl_mechanism": "PLAIN"}),
    ("SASL_SSL", {"sasl_plain_password": WRONG}),
    ("SASL_SSL", {"ssl_cafile": None}),
    ("SSL", {"ssl_cafile": None}),
    ("SSL", {"ssl_certfile": None, "ssl_keyfile": None}),
]


def run_emitter(cluster: Cluster) -> None:
    Emitter(cluster, "clicks", String())


def run_processor(cluster: Cluster) -> None:
    Processor(cluster, clicks.graph(clicks.count), storage="memory").run()


def run_view(cluster: Cluster) -> None:
    View(cluster, "table", String(), storage="memory").run()


@pytest.mark.parametrize(
    ("protocol", "changes", "run"),
    [
        *((*case, TopicManager) for case in REFUSED),
        *((*case, run) for case in REFUSED[::3] for run in (run_emitter, run_processor, run_view)),
    ],
)
def test_a_refused_login_is_one_error_that_names_its_causes_without_more_tries(
    secure, protocol, changes, run: Callable[[Cluster], object], caplog
):
    before = set(threading.enumerate())
    with caplog.at_level(logging.DEBUG), pytest.raises(KafkaError) as caught:
        run(secure.cluster(protocol, **changes))
    assert not isinstance(caught.value, UnavailableError), "it waited for a broker that is there"
    message = str(caught.value)
    assert f"cannot log in at {secure.address(protocol)}" in message
    for cause in ("user name", "password", "certificate", "security_protocol"):
        assert cause in message
    tries = [r for r in caplog.records if r.getMessage().startswith("Initializing connection")]
    assert 1 <= len(tries) <= TRIES
    ours = [record for record in caplog.records if record.name == "clicklib"]
    assert len([record for record in ours if record.levelno >= logging.WARNING]) <= 1
    for secret in SECRETS:
        assert secret not in caplog.text + shown(caught.value)
    wait_until("no thread is left", lambda: set(threading.enumerate()) <= before)


@pytest.mark.parametrize(
    ("protocol", "address"), [("SASL_SSL", "SASL_PLAINTEXT"), (None, "SSL"), (None, "SASL_SSL")]
)
def test_the_wrong_protocol_is_told_within_the_time_allowed(secure, protocol, address):
    security = dict(secure.cluster(protocol).security) if protocol else {}
    with pytest.raises(UnavailableError, match=r"within 0\.5 s.*security_protocol is wrong"):
        TopicManager(Cluster((secure.address(address),), security), timeout=0.5)


@pytest.mark.parametrize(
    "changes", [{"ssl_password": WRONG}, {"ssl_password": None}, {"ssl_keyfile": None}]
)
def test_a_key_that_cannot_be_read_is_told_and_nobody_is_asked_for_its_password(secure, changes):
    with pytest.raises(UsageError, match="ssl_certfile, ssl_keyfile and ssl_password cannot"):
        TopicManager(secure.cluster("SSL", **changes))


@pytest.mark.parametrize(
    ("protocol", "changes"), [("SASL_PLAINTEXT", {"sasl_mechanism": "PLAIN"}), ("SSL", {})]
)
def test_no_secret_is_logged_or_shown_by_what_works(secure, name, protocol, changes, caplog):
    cluster = secure.cluster(protocol, **changes)
    with caplog.at_level(logging.DEBUG):
        things = [cluster, *count_clicks(cluster, name)]
    texts = [str(thing) + repr(thing) for thing in things]
    texts += [thing._repr_html_() for thing in things if hasattr(thing, "_repr_html_")]
    assert "kafka" in caplog.text
    for secret in SECRETS:
        assert secret not in caplog.text + "".join(texts)


@pytest.mark.long
def test_a_restart_is_survived_and_a_login_that_was_taken_back_is_one_error(tmp_path, name):
    kafka = SecureKafka(tmp_path)
    cluster = kafka.cluster("SASL_SSL")
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    with contextlib.ExitStack() as stack:
        with kafka.running():
            kafka.let_in(PASSWORD)
            with TopicManager(cluster) as topics:
                topics.ensure_stream(f"{name}-clicks", 2)
            processor = stack.enter_context(Processor(cluster, graph, storage="memory").start())
            view = View(cluster, graph.table, clicks.UserCodec(), storage="memory").start()
            stack.enter_context(view)
            processor.wait_running()
            view.wait_running()
        with kafka.running():
            with Emitter(cluster, f"{name}-clicks", String()) as emitter:
                emitter.emit_sync("user-3", "now")
            wait_until("it goes on", lambda: view.get("user-3") == clicks.User(1))
            kafka.let_in("another")
        with kafka.running():
            for service in (processor, view):
                with pytest.raises(KafkaError, match="SaslAuthenticationFailedError") as caught:
                    service.wait(40)
                assert PASSWORD not in shown(caught.value)


def environment(cluster: Cluster) -> dict[str, str]:
    names = {
        "sasl_plain_username": "SASL_USERNAME",
        "sasl_plain_password": "SASL_PASSWORD",
    }
    security = {names.get(n, n.upper()): str(value) for n, value in cluster.security.items()}
    return {
        "CLICKLIB_BROKERS": str(cluster),
        **{f"CLICKLIB_{name}": value for name, value in security.items()},
    }


@pytest.mark.parametrize(
    ("arguments", "changes", "code"),
    [
        (["-v", "emit", "--count", "2", "--topic", "cli-clicks"], {}, 0),
        (["-v", "emit", "--count", "2"], {"sasl_plain_password": WRONG}, 1),
        (["emit", "--count", "2"], {"sasl_plain_password": WRONG}, 1),
        (["doctor"], {}, 0),
    ],
    ids=["works", "refused, all shown", "refused", "doctor"],
)
def test_the_command_line_takes_the_login_from_the_environment_and_shows_no_secret(
    secure, arguments, changes, code
):
    cluster = secure.cluster("SASL_SSL", sasl_mechanism="PLAIN", **changes)
    done = subprocess.run(
        [sys.executable, "-m", "clicklib", *arguments],
        env={**os.environ, **environment(cluster)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr
    if arguments[0] == "emit":
        assert len(done.stderr.splitlines()) == 1
        assert "cannot log in" in done.stderr


def listening(pid: int) -> set[str]:
    connections = psutil.Process(pid).net_connections("inet")
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


def test_kafka_and_the_endpoint_listen_on_the_loopback_address_only(cluster):
    kept = next(status for status in broker.status() if status.running)
    loopback = {"127.0.0.1", "::ffff:127.0.0.1"}
    for pid in kept.java:
        assert set() < listening(pid) <= loopback
    for process in [psutil.Process(kept.keeper), *psutil.Process(kept.keeper).children()]:
        assert listening(process.pid) <= loopback
    before = listening(os.getpid())
    with Endpoint(View(cluster, "table", String()), port=0):
        assert listening(os.getpid()) - before <= {"127.0.0.1"}
        assert "127.0.0.1" in listening(os.getpid())


# What a user may not do, and the words that say so.

TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP


def run_processor(cluster: Cluster, name: str, **options: Any) -> None:
    """Run it until it fails."""
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    processor = Processor(cluster, graph, storage="memory", **options).start()
    try:
        processor.wait(30)
    finally:
        processor.stop()


def run_view(cluster: Cluster, name: str) -> None:
    with View(cluster, f"{name}-table", clicks.UserCodec(), storage="memory") as view:
        view.wait(30)


def emit(cluster: Cluster, name: str) -> None:
    with Emitter(cluster, f"{name}-clicks", String()) as emitter:
        emitter.emit_sync("user-3", "now")


def find(cluster: Cluster, name: str) -> None:
    with TopicManager(cluster) as topics:
        topics.find(f"{name}-clicks")


def create(cluster: Cluster, name: str) -> None:
    with TopicManager(cluster) as topics:
        topics.ensure_stream(f"{name}-new", 2)


def compare(cluster: Cluster, name: str) -> None:
    with TopicManager(cluster) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)


def describe(cluster: Cluster, name: str) -> None:
    with Groups(cluster) as groups:
        groups.describe(name)


def exactly_once(cluster: Cluster, name: str) -> None:
    run_processor(cluster, name, guarantee="exactly_once")


@pytest.mark.parametrize(
    ("kind", "end", "operation", "attempt", "says"),
    [
        (TOPIC, "-clicks", ACLOperation.DESCRIBE, find, "Describe on the topic"),
        (TOPIC, "-clicks", ACLOperation.DESCRIBE, emit, "Describe on the topic"),
        (TOPIC, "-clicks", ACLOperation.DESCRIBE, run_processor, "Describe on the topic"),
        (TOPIC, "-table", ACLOperation.DESCRIBE, run_view, "Describe on the topic"),
        (TOPIC, "-clicks", ACLOperation.DESCRIBE_CONFIGS, compare, "DescribeConfigs on the topic"),
        (TOPIC, "-clicks", ACLOperation.WRITE, emit, "Write on the topic"),
        (TOPIC, "-clicks", ACLOperation.READ, run_processor, "Read on the topic"),
        (TOPIC, "-table", ACLOperation.READ, run_view, "Read on the topic"),
        (TOPIC, "-table", ACLOperation.WRITE, run_processor, "Write on the topic"),
        (TOPIC, "-table", ACLOperation.WRITE, exactly_once, "Write on the table"),
        (GROUP, "", ACLOperation.READ, run_processor, "Read on the group"),
        (GROUP, "", ACLOperation.DESCRIBE, describe, "Describe on the group"),
    ],
)
def test_what_the_cluster_does_not_allow_is_named(
    secure, name, kind, end, operation, attempt, says
):
    with TopicManager(secure.node.address) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)
        topics.ensure_table(f"{name}-table", 2)
    emit(secure.node.address, name)
    with (
        secure.denying(kind, f"{name}{end}", operation),
        pytest.raises(KafkaError, match=f"need.* the permission .*{says}"),
    ):
        attempt(secure.cluster("SASL_PLAINTEXT"), name)


@pytest.mark.parametrize("operation", [ACLOperation.DESCRIBE, ACLOperation.WRITE])
def test_without_a_claim_it_counts_and_says_what_that_means(secure, name, caplog, operation):
    with TopicManager(secure.node.address) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    emit(secure.node.address, name)
    with (
        secure.denying(ResourceType.TRANSACTIONAL_ID, f"{name}-1", operation),
        Processor(secure.cluster("SASL_PLAINTEXT"), graph, storage="memory").start(),
        View(secure.node.address, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running()
        wait_until("it is counted", lambda: counts(view) == {"user-3": 1})
    assert f"the permission Write on the transactional id {name}-*" in caplog.text


def test_a_session_that_the_cluster_does_not_allow_is_named_with_its_limits(secure, name):
    with TopicManager(secure.node.address) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)
    with pytest.raises(KafkaError, match=r"session_timeout=3: it allows 6 to 1800 s \(group.min"):
        run_processor(secure.cluster("SASL_PLAINTEXT"), name, session_timeout=3.0)


def test_more_copies_than_brokers_are_refused_in_a_line(secure, name):
    with (
        TopicManager(secure.node.address) as topics,
        pytest.raises(KafkaError, match=r"replication factor of 3 cannot be .*1 broker") as no,
    ):
        topics.ensure_stream(name, 2, replication=3)
    assert len(str(no.value)) < 400


def test_a_topic_that_may_not_be_created_is_named(secure, name):
    with (
        secure.denying(TOPIC, f"{name}-new", ACLOperation.CREATE),
        secure.denying(ResourceType.CLUSTER, "kafka-cluster", ACLOperation.CREATE),
        pytest.raises(KafkaError, match=r"cannot create the topic: .*permission Create on the"),
    ):
        create(secure.cluster("SASL_PLAINTEXT"), name)


@contextlib.contextmanager
def refused_commits(address: str) -> Iterator[None]:
    """Meanwhile a node has no room for any commit."""
    admin = KafkaAdminClient(bootstrap_servers=address)
    configs = {"max.message.bytes": "1"}
    place = ConfigResource(ConfigResourceType.TOPIC, "__consumer_offsets", configs)
    admin.alter_configs([place])
    yield
    admin.reset_configs([place])
    admin.close()


def test_commits_that_fail_for_ever_are_told_once(secure, name, caplog, monkeypatch):
    monkeypatch.setattr(failing, "_LONG", 1.0)

    def refusals() -> int:
        return caplog.text.count("failed to commit partition")

    with TopicManager(secure.node.address) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    with Processor(secure.node.address, graph, storage="memory") as processor:
        emit(secure.node.address, name)
        processor.wait_running()
        assert processor.stats().commits_fail is None
        with refused_commits(secure.node.address):
            emit(secure.node.address, name)
            wait_until("it is told", lambda: processor.stats().commits_fail)
            assert "commits fail" in processor._repr_html_()
            before = refusals()
            wait_until("it is tried again", lambda: refusals() > before + 2)
        wait_until("they are taken again", lambda: not processor.stats().commits_fail)
    assert caplog.text.count(f"group {name}: Kafka has taken no commit for 1 s: ") == 1


def test_a_group_whose_records_are_refused_is_named_with_what_to_look_at(secure, name):
    with TopicManager(secure.node.address) as topics:
        topics.ensure_stream(f"{name}-clicks", 2)
    graph = clicks.graph(clicks.count, name, f"{name}-clicks")
    processor = Processor(
        secure.node.address, graph, guarantee="exactly_once", storage="memory"
    ).start()
    try:
        processor.wait_running()
        with refused_commits(secure.node.address):
            emit(secure.node.address, name)
            says = rf"the group {name}: .*broker failed.*__consumer_offsets.*max.message.bytes"
            with pytest.raises(KafkaError, match=says):
                processor.wait(60)
    finally:
        processor.stop()
