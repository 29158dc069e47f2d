"""Makes the runtime on the bus that the settings name: the embedded log, or Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.locations import KafkaCluster
from services.settings import HubSettings
from services.stores import make_folder, missing_extra
from shared.messages.envelope import Clock
from shared.runtime import EmbeddedRuntime, EmbeddedSettings, Runtime
from shared.runtime.delivery import Observer

if TYPE_CHECKING:
    from shared.runtime.kafka import KafkaRuntime


def make_runtime(settings: HubSettings, clock: Clock, observer: Observer | None = None) -> Runtime:
    """The runtime, not started. ConfigurationError where Kafka is wanted and its driver is not installed."""
    place = settings.bus_place
    if isinstance(place, KafkaCluster):
        return make_kafka_runtime(settings, place, clock, observer)
    make_folder(place.path.parent)
    embedded = EmbeddedSettings(partition_count=settings.topic_partitions)
    return EmbeddedRuntime(place.path, settings=embedded, clock=clock, observer=observer)


def make_kafka_runtime(
    settings: HubSettings, place: KafkaCluster, clock: Clock, observer: Observer | None = None
) -> KafkaRuntime:
    """The runtime on Kafka, which also creates and lists topics."""
    try:
        from shared.runtime.kafka import KafkaRuntime, KafkaSecurity, KafkaSettings
    except ImportError as error:
        raise missing_extra("HUB_BUS", error) from error
    secret = settings.kafka_password
    security = KafkaSecurity(
        protocol=settings.kafka_protocol,
        mechanism=settings.kafka_mechanism,
        username=settings.kafka_username or "",
        password=secret.get_secret_value() if secret else "",
        ca_file=settings.kafka_ca_file,
        cert_file=settings.kafka_cert_file,
        key_file=settings.kafka_key_file,
    )
    kafka = KafkaSettings(
        bootstrap_servers=place.brokers,
        partition_count=settings.topic_partitions,
        topic_prefix=settings.topic_prefix,
        session_timeout_ms=int(settings.kafka_session_seconds * 1_000),
        security=security,
    )
    return KafkaRuntime(kafka, clock=clock, observer=observer)
