"""Listeners that ask who is there, with the real broker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.runtime.kafka import KafkaSecurity
from tests.contract.runtime.notes import Collector, note, reader, until
from tests.integration.kafka.conftest import New
from tests.support.kafka_broker import OwnBroker

pytestmark = pytest.mark.kafka

WAYS = ["SASL_PLAINTEXT PLAIN", "SASL_PLAINTEXT SCRAM-SHA-256", "SASL_SSL SCRAM-SHA-256", "SSL", "mutual TLS"]


def _way(broker: OwnBroker, way: str) -> tuple[str, KafkaSecurity]:
    """(address, security) of a way to reach the broker."""
    secure = broker.secure
    login = KafkaSecurity(username=secure.username, password=secure.password, ca_file=secure.ca_file)
    return {
        "SASL_PLAINTEXT PLAIN": (secure.sasl, replace(login, protocol="SASL_PLAINTEXT", mechanism="PLAIN")),
        "SASL_PLAINTEXT SCRAM-SHA-256": (
            secure.sasl,
            replace(login, protocol="SASL_PLAINTEXT", mechanism="SCRAM-SHA-256"),
        ),
        "SASL_SSL SCRAM-SHA-256": (secure.sasl_tls, replace(login, protocol="SASL_SSL", mechanism="SCRAM-SHA-256")),
        "SSL": (secure.tls, KafkaSecurity(protocol="SSL", ca_file=secure.ca_file)),
        "mutual TLS": (
            secure.mutual_tls,
            KafkaSecurity("SSL", ca_file=secure.ca_file, cert_file=secure.cert_file, key_file=secure.key_file),
        ),
    }[way]


@pytest.mark.parametrize("way", WAYS)
async def test_messages_pass_with_the_right_credentials(new: New, own_kafka: OwnBroker, way: str) -> None:
    seen = Collector()
    address, security = _way(own_kafka, way)
    runtime = new(reader(seen), bootstrap=address, security=security)
    await runtime.start()

    await runtime.publish([note(1)])
    await until(lambda: seen.numbers == [1])

    assert await runtime.lag()


@pytest.mark.parametrize("way", WAYS[:3])
async def test_a_wrong_password_is_said_at_once_and_not_shown(new: New, own_kafka: OwnBroker, way: str) -> None:
    address, security = _way(own_kafka, way)
    runtime = new(bootstrap=address, security=replace(security, password="wrong-password-7"))

    with pytest.raises(ConfigurationError, match="refused each other") as refused:
        await runtime.start()

    assert "wrong-password-7" not in str(refused.value) + repr(security)


async def test_a_certificate_of_an_unknown_authority_is_said_at_once(new: New, own_kafka: OwnBroker) -> None:
    runtime = new(bootstrap=own_kafka.secure.tls, security=KafkaSecurity(protocol="SSL"), start_wait_seconds_max=3)

    with pytest.raises(ConfigurationError, match="SSLCertVerificationError"):
        await runtime.start()


def test_a_login_without_a_user_name_is_said() -> None:
    with pytest.raises(ConfigurationError, match="HUB_KAFKA_USERNAME"):
        KafkaSecurity(protocol="SASL_SSL").for_client()


def test_certificate_files_that_do_not_exist_are_said() -> None:
    with pytest.raises(ConfigurationError, match="HUB_KAFKA_CA_FILE"):
        KafkaSecurity(protocol="SSL", ca_file=Path("/nowhere/ca.pem")).for_client()
