"""The Kafka of this machine, shared by every program of its user.

    cluster = broker.use()       # start it if it is not running; it ends after its last user
    cluster = broker.start()     # the same, but it runs until broker.stop()

This package imports from the rest of clicklib only what connects to nothing. Several processes
work together here, through the files of a `Place`:

    user ──┐                                            ┌──▶ Java, one for each node
    user ──┼── users/*.lock ───▶ keeper ── starts ──────┤
    user ──┘ ◀── keeper.json ───   │                    └──▶ guard
                                   └─ holds keeper.lock        └─ watches the keeper

Each user holds a lock while it runs, and reads Kafka's addresses in `keeper.json`. If no keeper
runs, the user starts one. The keeper restarts a Java that has died. It ends everything a minute
after the last user has ended, also if that user was killed; `CLICKLIB_KAFKA_IDLE` names other
seconds, and `stop()` ends it at once. If the keeper itself is killed, the guard ends its Java and
starts another keeper. The data stay until `wipe()`.

Everything lives below `home()`, and listens on 127.0.0.1 only. `serve(address)` opens it at one
more address, with a password, until `stop()`. If `CLICKLIB_BROKERS` names another cluster, `use`
and `start` return that one.
"""

from clicklib.broker.local import fetch, logs, release, serve, start, stop, use, wipe
from clicklib.broker.paths import home
from clicklib.broker.report import Status, status

__all__ = [
    "Status",
    "fetch",
    "home",
    "logs",
    "release",
    "serve",
    "start",
    "status",
    "stop",
    "use",
    "wipe",
]
