"""The proxy between client and broker: what it cuts, holds and slows, first with plain sockets, then with Kafka."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer

from tests.integration.test_kafka_broker import consume, create_topic
from tests.support.kafka_broker import OwnBroker, free_port
from tests.support.tcp_proxy import TcpProxy


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes, and takes note of it."""

    def handle(self) -> None:
        while piece := self.request.recv(65536):
            self.server.received += piece  # type: ignore[attr-defined]
            self.request.sendall(piece)


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    received = b""


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: EchoServer) -> Iterator[TcpProxy]:
    with TcpProxy(free_port(), echo.server_address[1]) as proxy:
        yield proxy


def connected(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(connection: socket.socket, text: bytes) -> bytes:
    """What comes back for a text, as long as it is."""
    connection.sendall(text)
    found = b""
    while len(found) < len(text):
        found += connection.recv(65536)
    return found


def is_silent(connection: socket.socket) -> bool:
    """Whether nothing comes for a moment although the connection is open."""
    connection.settimeout(0.1)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)
    return False


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side ended the connection, in order or not."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_bytes_pass_unchanged(proxy: TcpProxy) -> None:
    with connected(proxy) as connection:
        assert said(connection, b"all of it" * 50_000) == b"all of it" * 50_000
        assert (proxy.accepted_count, proxy.forwarded_bytes) == (1, 900_000)


def test_a_cut_ends_connections(proxy: TcpProxy) -> None:
    with connected(proxy) as connection:
        said(connection, b"open")

        proxy.cut()

        assert is_closed(connection)


def test_a_cut_refuses_new_connections_until_restored(proxy: TcpProxy) -> None:
    proxy.cut()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)

    proxy.restore()

    with connected(proxy) as connection:
        assert said(connection, b"again") == b"again"


def test_a_hanging_connection_stays_open_and_holds_what_it_was_given(proxy: TcpProxy, echo: EchoServer) -> None:
    with connected(proxy) as connection:
        said(connection, b"before ")
        proxy.hang()
        connection.sendall(b"held")
        assert is_silent(connection)
        assert echo.received == b"before "

        proxy.restore()

        assert connection.recv(4) == b"held"


def test_answers_alone_can_hang_and_be_lost(proxy: TcpProxy, echo: EchoServer) -> None:
    with connected(proxy) as connection:
        said(connection, b"before ")
        proxy.hang(answers_only=True)
        connection.sendall(b"done")
        assert is_silent(connection)

        proxy.cut()

        assert echo.received == b"before done"


def test_a_slow_connection_takes_its_time(proxy: TcpProxy) -> None:
    with connected(proxy) as connection:
        proxy.slow(bytes_per_second=50_000, delay_seconds=0.01)
        began = time.monotonic()

        assert said(connection, b"x" * 10_000) == b"x" * 10_000

        assert time.monotonic() - began >= 0.2  # a lower bound only: 10,000 bytes cannot be quicker


def test_where_nobody_listens_the_connection_is_closed() -> None:
    with TcpProxy(free_port(), free_port()) as proxy, connected(proxy) as connection:
        assert connection.recv(1) == b""


def test_it_ends_while_connections_hang(echo: EchoServer) -> None:
    with TcpProxy(free_port(), echo.server_address[1]) as proxy:
        connection = connected(proxy)
        said(connection, b"x")
        proxy.hang()
        connection.sendall(b"y")

    connection.close()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)


@pytest.mark.kafka
async def test_a_producer_behind_a_cut_delivers_once_it_is_restored(own_kafka: OwnBroker) -> None:
    topic = await create_topic(own_kafka.bootstrap)
    with TcpProxy(own_kafka.proxy_port, own_kafka.proxied_port) as proxy:
        producer = AIOKafkaProducer(bootstrap_servers=own_kafka.proxied_bootstrap, enable_idempotence=True)
        await producer.start()
        await producer.send_and_wait(topic, b"before")
        proxy.cut()
        held = await producer.send(topic, b"during")
        refused_before = proxy.accepted_count

        proxy.restore()
        await held
        await producer.stop()

    assert await consume(own_kafka.bootstrap, topic, 2) == [b"before", b"during"]
    assert proxy.accepted_count > refused_before


@pytest.mark.kafka
async def test_a_confirmation_that_is_lost_makes_no_second_message(own_kafka: OwnBroker) -> None:
    topic = await create_topic(own_kafka.bootstrap)
    with TcpProxy(own_kafka.proxy_port, own_kafka.proxied_port) as proxy:
        producer = AIOKafkaProducer(bootstrap_servers=own_kafka.proxied_bootstrap, enable_idempotence=True)
        await producer.start()
        await producer.send_and_wait(topic, b"one")
        proxy.hang(answers_only=True)
        held = await producer.send(topic, b"two")
        assert await consume(own_kafka.bootstrap, topic, 2) == [b"one", b"two"]
        assert not held.done()

        proxy.cut()
        proxy.restore()
        await held
        await producer.send_and_wait(topic, b"three")
        await producer.stop()

    assert await consume(own_kafka.bootstrap, topic, 3) == [b"one", b"two", b"three"]


@pytest.mark.kafka
async def test_clients_of_the_plain_address_do_not_pass_the_proxy(own_kafka: OwnBroker) -> None:
    topic = await create_topic(own_kafka.bootstrap)
    with TcpProxy(own_kafka.proxy_port, own_kafka.proxied_port) as proxy:
        async with asyncio.timeout(10), AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap) as producer:
            await producer.send_and_wait(topic, b"direct")

        assert proxy.accepted_count == 0
