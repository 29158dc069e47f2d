"""Counts how often each fail point really killed a process, and says so at the end of the test run."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from tests.faults.cluster_conditions import Surroundings
from tests.faults.cluster_walk import sessions
from tests.support.forked_cluster import forked_cluster
from tests.support.hub_process import HubProcess
from tests.support.kafka_broker import KafkaBrokerHandle, OwnBroker, free_port
from tests.support.mongo_servers import MongoServers, kinds, port_of, with_port
from tests.support.tcp_proxy import TcpProxy

HITS: pytest.StashKey[Counter[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[HITS] = Counter()


@pytest.fixture
def hits(pytestconfig: pytest.Config) -> Counter[str]:
    """Kills so far by the place at which they happened."""
    return pytestconfig.stash[HITS]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the import that clusters are walked through leaves when the embedded hub does it undisturbed."""
    folder = tmp_path_factory.mktemp("embedded")
    return HubProcess(folder / "data", sessions(folder)).finish()


NewSurroundings = Callable[..., AbstractContextManager[Surroundings]]


@pytest.fixture(scope="session")
def new_surroundings(
    kafka_broker: KafkaBrokerHandle, mongo_servers: MongoServers, tmp_path_factory: pytest.TempPathFactory
) -> NewSurroundings:
    """`new_surroundings(name, uses_proxies=False, **settings)`: a cluster without processes, on topics and a database
    of its own, until the context ends. Skips where the broker is somebody else's."""
    if not isinstance(kafka_broker, OwnBroker):
        pytest.skip("HUB_TEST_KAFKA names a broker that is not ours to kill")
    server = mongo_servers.get(kinds()[-1])

    @contextmanager
    def made(name: str, *, uses_proxies: bool = False, **settings: str) -> Iterator[Surroundings]:
        store = server.new_database()
        bus, proxies = kafka_broker.bootstrap, []
        with ExitStack() as stack:
            stack.callback(server.drop, store)
            if uses_proxies:
                to_store = TcpProxy(free_port(), port_of(store))
                proxies = [TcpProxy(kafka_broker.proxy_port, kafka_broker.proxied_port), to_store]
                bus, store = kafka_broker.proxied_bootstrap, with_port(store, to_store.port)
                for proxy in proxies:
                    stack.enter_context(proxy)
            places = {
                "HUB_BUS": f"kafka://{bus}",
                "HUB_STORE": store,
                "HUB_FILES": "gridfs",
                "HUB_TOPIC_PREFIX": f"t{secrets.token_hex(4)}.",
            }
            folder = tmp_path_factory.mktemp(name)
            cluster = stack.enter_context(forked_cluster(folder, {**places, **settings}))
            yield Surroundings(cluster, kafka_broker, proxies)
            kafka_broker.resume()
            kafka_broker.start()

    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counted = config.stash.get(HITS, None)
    if counted:
        terminalreporter.section("processes killed with SIGKILL, by place")
        for place, count in sorted(counted.items()):
            terminalreporter.write_line(f"{count:5d}  {place}")
