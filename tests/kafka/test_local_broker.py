"""The local Kafka as its users meet it: shared, kept, killed, stopped, wiped.

Each test has a home of its own and looks for what is left of it at the end.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from clicklib import broker
from clicklib.broker.ports import is_free
from clicklib.client.cluster import Cluster
from clicklib.errors import LocalBrokerError
from tests.support.long import cases
from tests.waiting import wait_until

# Seconds. On a quiet machine 2 to 3 are enough, and each test prints what it took; a machine that
# does other things as well may need more, which is not what these tests are about.
_LOADED = 20

# kafka-python leaves sockets open whose connection was refused.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

USER = """
import sys
from clicklib import broker
print(broker.use(progress=False), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def jars() -> Path:
    """The developer's own jars, so that tests fetch them once and for all."""
    return broker.fetch(progress=False)


@pytest.fixture
def home(jars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home for one test; afterwards nothing runs that belongs to it."""
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKLIB_JARS", str(jars))
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    yield tmp_path
    gc.collect()
    for nodes in (1, 3):
        broker.release(nodes)
    broker.stop()
    wait_until("nothing runs any more", lambda: not running(tmp_path))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose Kafka stays from one test to the next."""
    folder = tmp_path_factory.mktemp("shared")
    yield folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKLIB_HOME", str(folder))
        broker.stop()
    wait_until("nothing runs any more", lambda: not running(folder))


@pytest.fixture
def kept(shared: Path, jars: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That home, for a test that leaves its Kafka as it was."""
    monkeypatch.setenv("CLICKLIB_HOME", str(shared))
    monkeypatch.setenv("CLICKLIB_JARS", str(jars))
    monkeypatch.setenv("CLICKLIB_KAFKA_IDLE", "60")
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    yield shared
    broker.release()


class User:
    """Another process that uses the local Kafka until it is let go or killed."""

    def __init__(self, home: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER],
            env=os.environ if home is None else os.environ | {"CLICKLIB_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self.process.communicate()


def running(home: Path) -> list[str]:
    """The processes of a home: keepers and guards (by their directory), Kafka (by its settings)."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
        inside = str(process.info["cwd"] or "").startswith(str(home))
        named = any(str(home) in argument for argument in process.info["cmdline"] or ())
        if (inside or named) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid}: {' '.join(process.info['cmdline'] or ())[-80:]}")
    return found


def the_status(nodes: int = 1) -> broker.Status:
    return next(status for status in broker.status() if status.nodes == nodes)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def create_topic(cluster: Cluster, topic: str, copies: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    admin.create_topics([NewTopic(name=topic, num_partitions=1, replication_factor=copies)])
    admin.close()


def produce(cluster: Cluster, topic: str, values: range) -> None:
    """Send numbers and have each acknowledged."""
    producer = KafkaProducer(bootstrap_servers=list(cluster.addresses), acks="all")
    for sent in [producer.send(topic, str(value).encode()) for value in values]:
        sent.get(timeout=10)
    producer.close()


def consume(cluster: Cluster, topic: str) -> list[int]:
    consumer = KafkaConsumer(bootstrap_servers=list(cluster.addresses))
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    values: list[int] = []

    def all_read() -> bool:
        for records in consumer.poll(timeout_ms=100).values():
            values.extend(int(record.value) for record in records)
        return consumer.position(partition) >= end

    wait_until(f"{end} records of {topic}", all_read, every=0)
    consumer.close()
    return values


@cases("times", [1], [3])
def test_it_starts_in_time_and_goes_when_released(home: Path, times: int) -> None:
    took = []
    for _ in range(times):
        began = time.monotonic()
        cluster = broker.use(progress=False)
        took.append(time.monotonic() - began)
        assert broker.stop()
    print(f"ready in {took}")
    assert min(took) < _LOADED, "the quickest of them"

    cluster = broker.use(progress=False)
    create_topic(cluster, "at-once")
    status = the_status()
    assert status.running
    assert not status.stays
    assert status.addresses == cluster.addresses
    assert status.users == (os.getpid(),)
    assert 50_000_000 < status.memory < 600_000_000
    assert status.size > 0
    assert broker.use(progress=False) == cluster
    assert the_status().users == (os.getpid(),)

    broker.release()
    broker.release()
    wait_until("gone", lambda: not running(home), timeout=6)
    assert not the_status().running


@cases(
    "folder",
    ['josé, 中文: %20 "quoted" it\'s \\u0041'],
    ["é" * 120 + "/" + "n" * 250, "two\nlines\tand {a}*[b]?"],
)
@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_it_starts_in_any_folder_and_any_locale(
    home: Path, jars: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = home / folder
    shutil.copytree(jars, odd / "jars", copy_function=os.link)
    monkeypatch.delenv("CLICKLIB_JARS")
    monkeypatch.setenv("CLICKLIB_HOME", str(odd))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:+UseG1GC")  # for another Java of this machine
    user = User()
    address = user.address()
    try:
        assert address, broker.logs()
        create_topic(Cluster((address,)), "at-once")
        produce(Cluster((address,)), "at-once", range(3))
        assert consume(Cluster((address,)), "at-once") == [0, 1, 2]
    finally:
        user.end()
        broker.stop()


def test_it_listens_on_loopback_only(kept: Path) -> None:
    broker.use(progress=False)
    java = psutil.Process(the_status().java[0])
    listening = [c.laddr.ip for c in java.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_many_users_share_one_and_the_last_takes_it_along(home: Path) -> None:
    users = [User() for _ in range(4)]
    addresses = {user.address() for user in users}
    assert len(addresses) == 1
    status = the_status()
    assert sorted(status.users) == sorted(user.process.pid for user in users)
    assert len(status.java) == 1

    for user in users[:2]:
        user.end(kill=True)
    users[2].end()
    wait_until("one user left", lambda: the_status().users == (users[3].process.pid,))
    assert the_status().java == status.java
    users[3].end(kill=True)
    wait_until("Java, keeper and guard gone", lambda: not running(home), timeout=6)


def test_many_threads_of_a_process_are_one_user(home: Path) -> None:
    found: list[Cluster] = []
    threads = [
        threading.Thread(target=lambda: found.append(broker.use(progress=False))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert the_status().users == (os.getpid(),)
    assert len([line for line in running(home) if "broker.properties" in line]) == 1


@pytest.mark.long
def test_two_homes_at_once_take_different_ports(home: Path) -> None:
    users = [User(home / name) for name in ("one", "two")]
    addresses = [user.address() for user in users]
    assert all(addresses)
    assert len(set(addresses)) == 2
    for user in users:
        user.end()
    wait_until("both gone", lambda: not running(home))


@pytest.mark.long
def test_a_user_that_comes_while_it_goes_gets_a_new_one(home: Path) -> None:
    for _ in range(2):
        user = User()
        java = user.address() and the_status().java
        user.end(kill=True)
        wait_until("no longer kept", lambda: the_status().keeper is None)
        broker.use(progress=False)
        assert the_status().running
        assert the_status().java != java
        broker.release()


def test_started_it_stays_until_stopped(home: Path) -> None:
    user = User()
    user.address()
    cluster = broker.start(progress=False)
    status = the_status()
    assert status.stays
    user.end(kill=True)
    wait_until("no users", lambda: the_status().users == ())
    with pytest.raises(AssertionError, match=r"not within 2\.5 s: it went"):
        wait_until("it went", lambda: the_status().java != status.java, timeout=2.5)
    assert broker.use(progress=False) == cluster

    assert broker.stop()
    assert not running(home)
    assert not broker.stop()
    assert not broker.stop(nodes=1)
    assert not the_status().stays


@pytest.mark.long
def test_it_stays_a_while_for_who_comes_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLICKLIB_KAFKA_IDLE")
    cluster = broker.use(progress=False)
    java = the_status().java
    broker.release()
    with pytest.raises(AssertionError, match=r"not within 2\.5 s: it went"):
        wait_until("it went", lambda: the_status().java != java, timeout=2.5)
    assert broker.use(progress=False) == cluster
    assert the_status().java == java
    broker.release()

    port = next(port for port in range(19000, 20000) if is_free(port) and is_free(port + 1))
    cluster = broker.start(port=port, progress=False)
    assert cluster.addresses == (f"127.0.0.1:{port}",), "nobody used the other one"
    broker.stop()
    broker.use(progress=False)
    broker.release()
    broker.wipe()
    assert not running(home)


@cases("kills", [1], [3])
def test_killed_java_comes_back_with_all_that_was_acknowledged(home: Path, kills: int) -> None:
    cluster = broker.use(progress=False)
    create_topic(cluster, "numbers")
    times = []
    for round in range(kills):
        produce(cluster, "numbers", range(100 * round, 100 * round + 100))
        before = the_status().java
        kill(before[0])
        began = time.monotonic()
        wait_until("another Java", lambda before=before: the_status().java != before)
        wait_until("running", lambda: the_status().running, timeout=_LOADED)
        assert broker.use(progress=False) == cluster
        assert consume(cluster, "numbers") == list(range(100 * round + 100))
        times.append(time.monotonic() - began)
    print(f"usable again in {times}")
    assert min(times) < _LOADED


@cases("kills", [1], [3])
def test_a_killed_keeper_is_replaced_and_so_is_its_kafka(home: Path, kills: int) -> None:
    cluster = broker.use(progress=False)
    create_topic(cluster, "numbers")
    produce(cluster, "numbers", range(100))
    times = []
    for _ in range(kills):
        before = the_status()
        kill(before.keeper)
        began = time.monotonic()
        wait_until("the old Java gone", lambda java=before.java[0]: not is_alive(java))
        wait_until("running", lambda: the_status().running, timeout=_LOADED)
        times.append(time.monotonic() - began)
        assert the_status().keeper != before.keeper
        assert broker.use(progress=False) == cluster
        assert consume(cluster, "numbers") == list(range(100))
        assert len([line for line in running(home) if "broker.properties" in line]) == 1
    print(f"back in {times}")
    assert min(times) < _LOADED


@pytest.mark.long
def test_a_keeper_killed_with_the_last_user_leaves_nothing(home: Path) -> None:
    user = User()
    user.address()
    keeper = the_status().keeper
    user.end(kill=True)
    kill(keeper)
    wait_until("all gone", lambda: not running(home), timeout=8)
    assert broker.use(progress=False).addresses == (the_status().addresses)


@pytest.mark.long
def test_keeper_and_guard_killed_and_the_next_use_cleans_up(home: Path) -> None:
    broker.use(progress=False)
    before = the_status()
    keeper = psutil.Process(before.keeper)
    for process in [*keeper.children(), keeper]:
        if process.pid not in before.java:
            process.kill()
    wait_until("the keeper is dead", lambda: the_status().keeper is None)
    assert is_alive(before.java[0])
    broker.use(progress=False)
    assert not is_alive(before.java[0])
    assert len([line for line in running(home) if "broker.properties" in line]) == 1


def test_a_killed_guard_is_replaced(kept: Path) -> None:
    broker.use(progress=False)
    keeper = psutil.Process(the_status().keeper)

    def guard() -> int | None:
        children = [c for c in keeper.children() if c.pid not in the_status().java]
        return children[0].pid if children else None

    first = guard()
    kill(first)
    wait_until("another guard", lambda: guard() not in (None, first))


def test_two_keepers_at_once_make_one_broker(kept: Path) -> None:
    cluster = broker.use(progress=False)
    status = the_status()
    late = subprocess.run(
        [sys.executable, "-m", "clicklib.broker.keeper", "1", "0", ""],
        check=True,
        capture_output=True,
        timeout=10,
    )
    assert late.stdout == late.stderr == b""
    assert the_status().keeper == status.keeper
    assert broker.use(progress=False) == cluster
    assert len([line for line in running(kept) if "broker.properties" in line]) == 1


def test_a_forked_child_is_no_user(kept: Path) -> None:
    broker.use(progress=False)
    forker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys, time\n"
            "from clicklib import broker\n"
            "broker.use(progress=False)\n"
            "child = os.fork()\n"
            "print(child, flush=True) if child else time.sleep(60)\n"
            "sys.stdin.read()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert forker.stdout is not None
    child = int(forker.stdout.readline())
    try:
        assert set(the_status().users) == {os.getpid(), forker.pid}
        forker.kill()
        forker.wait()
        wait_until("only the test", lambda: the_status().users == (os.getpid(),))
        assert psutil.pid_exists(child)
    finally:
        kill(child)
        forker.communicate()


@pytest.mark.long
def test_another_port_when_the_usual_one_is_taken(home: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 9092))
            other.listen()
        except OSError:
            pass  # taken by someone else, which serves as well
        cluster = broker.use(progress=False)
    assert cluster.addresses != ("127.0.0.1:9092",)
    create_topic(cluster, "elsewhere")
    assert broker.stop()
    assert broker.use(progress=False) == cluster, "the port is kept from start to start"


def test_a_wanted_port(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalBrokerError, match=f"port {port} is taken by another program"):
            broker.start(port=port, progress=False)
        assert not the_status().stays
    port = next(port for port in range(19000, 20000) if is_free(port) and is_free(port + 1))
    cluster = broker.start(port=port, progress=False)
    assert cluster.addresses == (f"127.0.0.1:{port}",)
    assert broker.start(port=port, progress=False) == cluster
    with pytest.raises(LocalBrokerError, match=rf"runs already, at 127\.0\.0\.1:{port}"):
        broker.start(port=port + 10, progress=False)
    assert the_status().stays, "a refused port changes nothing"


@pytest.mark.long
def test_three_nodes_lose_one_and_nothing_else(home: Path) -> None:
    began = time.monotonic()
    cluster = broker.use(nodes=3, progress=False)
    print(f"three ready in {time.monotonic() - began:.1f} s")
    assert len(cluster.addresses) == 3
    create_topic(cluster, "numbers", copies=3)
    produce(cluster, "numbers", range(100))
    before = the_status(3).java
    kill(before[1])
    produce(cluster, "numbers", range(100, 200))
    wait_until("running again", lambda: the_status(3).running and the_status(3).java != before)
    assert len(set(before) - set(the_status(3).java)) == 1
    assert broker.use(nodes=3, progress=False) == cluster
    assert consume(cluster, "numbers") == list(range(200))


@pytest.mark.long
def test_one_and_three_nodes_side_by_side(home: Path) -> None:
    one, three = broker.use(progress=False), broker.use(nodes=3, progress=False)
    assert not set(one.addresses) & set(three.addresses)
    assert [status.nodes for status in broker.status() if status.running] == [1, 3]
    broker.release(nodes=3)
    wait_until("three gone", lambda: not the_status(3).running)
    assert the_status(1).running


@pytest.mark.long
def test_data_stay_until_they_are_wiped(home: Path) -> None:
    cluster = broker.use(progress=False)
    create_topic(cluster, "numbers")
    produce(cluster, "numbers", range(10))
    with pytest.raises(LocalBrokerError, match=r"is running.*stop it first"):
        broker.wipe()
    assert broker.stop()
    (home / "kafka-1" / "port").write_bytes(b"")  # as a power cut may leave it
    cluster = broker.use(progress=False)
    assert consume(cluster, "numbers") == list(range(10))

    broker.wipe(stop=True)
    broker.wipe()
    assert not list(home.glob("kafka-1/node-*"))
    cluster = broker.use(progress=False)
    create_topic(cluster, "numbers")
    assert consume(cluster, "numbers") == []


def test_a_kafka_that_cannot_start_says_why(home: Path) -> None:
    broker.use(progress=False)
    assert broker.stop()
    for meta in home.glob("kafka-1/node-1/*/meta.properties"):
        meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(LocalBrokerError) as caught:
        broker.use(progress=False)
    message = str(caught.value)
    print(message)
    assert "ended 3 times before it was ready" in message
    assert "node id 7" in message
    assert str(home / "kafka-1" / "node-1" / "kafka.log") in message
    assert "node id 7" in broker.logs()
    wait_until("nothing runs", lambda: not running(home))


@pytest.mark.long
def test_a_wrong_byte_in_a_jar_is_fetched_again_before_java_sees_it(
    home: Path, jars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = home / "jars"
    shutil.copytree(jars, mine)
    monkeypatch.setenv("CLICKLIB_JARS", str(mine))
    jar = mine / "kafka-metadata-4.4.0.jar"
    right = jar.read_bytes()
    jar.write_bytes(right[:1000] + bytes([right[1000] ^ 1]) + right[1001:])
    create_topic(broker.use(progress=False), "numbers")
    assert jar.read_bytes() == right
