"""The Kafka of this machine, shared by every program of its user.

    cluster = broker.use()       # start it if it is not running; it goes with its last user
    cluster = broker.start()     # the same, but it stays until broker.stop()

The room takes only the errors, `needing` and the `Cluster` from the rest of clicklib. Several
processes work together here, by the files of a `Place`:

    user ──┐                                            ┌──▶ Java, one for each node
    user ──┼── users/*.lock ───▶ keeper ── starts ──────┤
    user ──┘ ◀── keeper.json ───   │                    └──▶ guard
                                   └─ holds keeper.lock        └─ watches the keeper

Each user holds a lock as long as it lives, and reads in `keeper.json` where Kafka is. If no keeper
lives, the user starts one. The keeper starts a Java that died again. It ends
everything about a second after the last user has gone, however that one went. If the keeper itself
is killed, the guard ends its Java and starts another keeper. The data stay until `wipe()`.

Everything lives below `home()`, and listens on 127.0.0.1 only. If `CLICKLIB_BROKERS` names another
cluster, `use` and `start` return that one.
"""

from clicklib.broker.local import fetch, logs, release, start, stop, use, wipe
from clicklib.broker.paths import home
from clicklib.broker.report import Status, status

__all__ = [
    "Status",
    "fetch",
    "home",
    "logs",
    "release",
    "start",
    "status",
    "stop",
    "use",
    "wipe",
]
