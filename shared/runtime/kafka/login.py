"""Why a cluster cannot be reached: nobody there, or it does not accept who we are."""

from __future__ import annotations

import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from shared.errors import ConfigurationError
from shared.runtime.kafka.settings import KafkaSettings

_CONNECTION_ARGUMENTS = (
    "client_id",
    "request_timeout_ms",
    "ssl_context",
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
)


async def refuse_wrong_login(settings: KafkaSettings) -> None:
    """ConfigurationError where a broker answers and refuses us: waiting does not cure that. Else nothing.

    The library's clients log the reason and report a failed connection like any other, so one connection is made here.
    """
    if settings.security.protocol == "PLAINTEXT":
        return
    known = settings.for_connection()
    arguments = {name: known[name] for name in _CONNECTION_ARGUMENTS if known.get(name) is not None}
    for server in settings.bootstrap_servers:
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(host, int(port), **arguments)
        except (SaslAuthenticationFailed, UnsupportedSaslMechanismError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"Kafka at {server} and this hub refused each other with {settings.security.protocol} "
                f"({type(error).__name__}).",
                next_step="Check HUB_KAFKA_PROTOCOL, HUB_KAFKA_MECHANISM, the user name, the password and the "
                "certificates.",
            ) from error
        except (KafkaError, OSError):
            continue
        connection.close()
