"""A class on one Kafka: open with a password and only then, and what its readers share."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clicklib import Cluster, Emitter, String, TopicManager, broker
from clicklib.broker.ports import Ports
from clicklib.cli.class_settings import FILE, read_settings
from clicklib.errors import KafkaError, LocalBrokerError, UsageError
from clicklib.lessons import ClassProgress, keep_private, share
from clicklib.lessons.progress import Progress
from clicklib.lessons.sharing import share_news, typed_name
from tests.waiting import wait_until

# kafka-python leaves sockets open whose login was refused.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def port() -> Iterator[int]:
    ports = Ports(1)
    yield ports.choose(None, random.randrange(9_202, 11_002, 10))
    ports.release()


def serve(port: int, folder: Path) -> Cluster:
    """What a student sees of the teacher's Kafka who has the file that the command printed."""
    words = f"-m clicklib class serve --address 127.0.0.1 --port {port}".split()
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert f"open at 127.0.0.1:{port}, with a password" in done.stderr
    (folder / FILE).write_text(done.stdout)
    cluster = Cluster.from_environment(read_settings(folder))
    assert cluster is not None
    assert cluster.addresses == (f"127.0.0.1:{port}",)
    return cluster


def use(cluster: Cluster) -> None:
    with TopicManager(cluster, timeout=5) as topics:
        topics.ensure_stream("class-clicks", 1)
    with Emitter(cluster, "class-clicks", String()) as emitter:
        emitter.emit_sync("user-3", "now")


@pytest.mark.timeout(240)
def test_it_is_open_to_those_who_have_the_password_and_to_nobody_after_a_stop(
    own_cluster: Cluster, port: int, tmp_path: Path
) -> None:
    with pytest.raises(LocalBrokerError, match=rf"not open at 127\.0\.0\.1:{port}: .*stop it"):
        broker.serve(f"127.0.0.1:{port}")  # a program uses it, and it is closed
    broker.release()
    student = serve(port, tmp_path)
    use(student)
    address, security = student.addresses, dict(student.security)
    for changes in ({"sasl_plain_password": "wrong"}, {"sasl_plain_username": "nobody"}):
        with pytest.raises(KafkaError, match="cannot log in"):
            use(Cluster(address, {**security, **changes}))
    with pytest.raises(KafkaError):
        use(Cluster(address))
    later = serve(port, tmp_path)
    assert later.security != student.security
    use(later)
    with pytest.raises(KafkaError, match="cannot log in"):
        use(student)
    [status] = broker.status()
    assert (status.open_at, status.stays) == (f"127.0.0.1:{port}", True)
    assert broker.stop()
    use(broker.use(progress=False))
    [status] = broker.status()
    assert status.open_at == ""
    with pytest.raises(KafkaError):
        use(later)


@pytest.fixture
def learners(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Progress, Progress]:
    """Two readers on two machines, on one Kafka."""
    monkeypatch.setenv("CLICKLIB_BROKERS", str(cluster))
    with TopicManager(cluster) as topics:
        topics.delete(["class-progress"])
    return Progress(tmp_path / "one/progress"), Progress(tmp_path / "two/progress")


def test_the_class_sees_what_those_share_who_have_typed_a_name(
    cluster: Cluster, learners: tuple[Progress, Progress]
) -> None:
    anna, ben = learners
    for each in learners:
        each.note("00.1", "alone")
        share_news(each)
    assert str(ClassProgress(cluster)) == "Nobody shares what is solved."

    share(" Anna <b>", anna)
    anna.note("00.2", "solution")
    share_news(anna)
    wait_until("the news are there", lambda: "00.2" in ClassProgress(cluster).solved["Anna <b>"])
    shown = ClassProgress(cluster)
    assert shown.solved == {"Anna <b>": {"00.1": "alone", "00.2": "solution"}}
    head, line, _ = str(shown).splitlines()
    assert head.split()[:3] == ["name", "00", "01"]
    assert line.split()[:4] == ["Anna", "<b>", "✔◐", "○○○"]
    assert "Anna &lt;b&gt;" in shown._repr_html_()

    share("Ann", anna)
    assert list(ClassProgress(cluster).solved) == ["Ann"]
    keep_private(anna)
    keep_private(anna)
    assert ClassProgress(cluster).solved == {}
    assert typed_name(anna) == typed_name(ben) == ""


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\nb", None])
def test_a_name_is_one_line_of_some_letters(learners: tuple[Progress, Progress], name: str) -> None:
    with pytest.raises(UsageError, match="has 1 to 40 letters"):
        share(name, learners[0])
