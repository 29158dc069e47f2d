"""The garbage collector of a process that handles batches."""

from __future__ import annotations

import gc

_NEW_CONTAINERS_MAX = 10_000


def settle_garbage_collector() -> None:
    """Call once a process has started: what it has made until then stays, and a batch alone starts no collection.

    A batch is a thousand containers and more that go as soon as it is handled, without the collector's help. With the
    interpreter's defaults each one starts a collection, and now and then one through everything that was ever imported
    (100 ms): together up to a fifth of a hop's processor time (`benchmarks.kafka_hop`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_CONTAINERS_MAX, 10, 10)
