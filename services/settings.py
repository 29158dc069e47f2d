"""Settings of every process of the hub, from the environment: `HUB_` and the name in capitals.

Secrets may lie in files instead: `HUB_OWNER_TOKEN_FILE`, `HUB_KAFKA_PASSWORD_FILE` and `HUB_STORE_FILE` name them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services import locations
from services.locations import Folder, GridFs, KafkaCluster, MongoServer, SqliteFile, without_secrets
from shared.errors import ConfigurationError, HubError
from shared.http.settings import HttpSettings
from shared.runtime import fail_points
from shared.security.tokens import TOKEN_CHARACTERS_MIN, is_token

PREFIX = "HUB_"
DATA_DIRECTORY = Path("hub-data")

_HEADER_TEXT = re.compile(r"[!-~]+")
_QUERY = re.compile(r"[?#].*", re.DOTALL)

_FROM_FILES = {
    "owner_token": "HUB_OWNER_TOKEN_FILE",
    "kafka_password": "HUB_KAFKA_PASSWORD_FILE",
    "mapper_llm_key": "HUB_MAPPER_LLM_KEY_FILE",
    "store": "HUB_STORE_FILE",
}


def _address(parse: Any) -> AfterValidator:
    def checked(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(checked)


def _long_enough(token: SecretStr) -> SecretStr:
    if not is_token(token.get_secret_value()):
        raise ValueError(f"an owner token has {TOKEN_CHARACTERS_MIN} to 200 printable ASCII characters without blanks")
    return token


def _can_be_sent(key: SecretStr) -> SecretStr:
    if _HEADER_TEXT.fullmatch(key.get_secret_value()) is None:
        raise ValueError("a key has printable ASCII characters without blanks")
    return key


def _http_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_port(parts):
        raise ValueError("write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("it must hold no user, password, query or fragment; the key has a setting of its own")
    return text


def _is_port(parts: SplitResult) -> bool:
    """Whether the address has no port or one that exists; `SplitResult.port` raises ValueError for others."""
    try:
        return parts.port != 0
    except ValueError:
        return False


class HubSettings(BaseSettings):
    """What a process of the hub can be told. Everything has a default that runs the hub on one machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(DATA_DIRECTORY, description="Folder of an embedded hub, and of caches.")
    bus: Annotated[str, _address(locations.bus_of)] | None = Field(
        None, description=f"Topics: {locations.BUS_FORMS}. In the data directory where not given."
    )
    store: Annotated[str, _address(locations.store_of)] | None = Field(
        None, description=f"Records and control state: {locations.STORE_FORMS}. In the data directory where not given."
    )
    files: Annotated[str, _address(locations.files_of)] | None = Field(
        None, description=f"Uploaded and landed files: {locations.FILES_FORMS}. In the data directory where not given."
    )
    http_host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    http_port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    owner_token: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None, description="A first owner's API token, given from outside."
    )
    topic_partitions: int = Field(12, ge=1, le=1_000, description="Partitions of a topic that is created.")
    topic_prefix: str = Field(
        "", pattern=r"^[a-z0-9.-]{0,80}$", description="Before topic and group names, for several hubs on one cluster."
    )
    workers: int | None = Field(None, ge=1, description="Processes for parsing and mapping; one per core if not given.")
    repair_seconds: float = Field(60, gt=0, description="A run without news is repaired after so long.")
    stop_seconds: float = Field(25, gt=0, description="After SIGTERM a process has ended within this time.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="From which level to log.")
    kafka_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to the brokers."
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in with SASL."
    )
    kafka_username: str | None = Field(None, description="User of SASL.")
    kafka_password: SecretStr | None = Field(None, description="Password of SASL.")
    kafka_session_seconds: float = Field(
        30, ge=1, le=1_800, description="A process that is not heard of for so long loses its partitions to others."
    )
    kafka_ca_file: Path | None = Field(None, description="Certificates to trust with SSL; the system's if not given.")
    kafka_cert_file: Path | None = Field(None, description="Own certificate, where brokers want one.")
    kafka_key_file: Path | None = Field(None, description="Key of the own certificate.")

    mapper_memory_shared: bool = Field(
        False, description="Whether owners may share approved mappings with the other accounts of this hub."
    )
    mapper_llm_url: Annotated[str, AfterValidator(_http_address)] | None = Field(
        None, description="OpenAI-compatible endpoint, up to and without /chat/completions. Off where not given."
    )
    mapper_llm_model: str | None = Field(None, min_length=1, description="Name of the language model to ask.")
    mapper_llm_key: Annotated[SecretStr, AfterValidator(_can_be_sent)] | None = Field(
        None, description="Key of that endpoint, sent as bearer token."
    )
    mapper_llm_samples_allowed: bool = Field(
        False, description="Whether it may see masks of values (Axx 99 for Elm 12). Values themselves are never sent."
    )
    mapper_llm_confidence_below: float = Field(
        0.6, ge=0, le=1, description="Columns mapped with less confidence, or not at all, are asked about."
    )
    mapper_llm_timeout_seconds: float = Field(
        10,
        gt=0,
        le=120,
        description="An analysis waits for the language model no longer than this, all files together.",
    )

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def bus_place(self) -> SqliteFile | KafkaCluster:
        """Where the topics are."""
        return locations.bus_of(self.bus) if self.bus else SqliteFile(self.data_dir / "log.db")

    @property
    def store_place(self) -> SqliteFile | MongoServer:
        """Where records and control state are."""
        return locations.store_of(self.store) if self.store else SqliteFile(self.data_dir / "store.db")

    @property
    def files_place(self) -> Folder | GridFs:
        """Where files are."""
        return locations.files_of(self.files) if self.files else Folder(self.data_dir / "files")

    @property
    def has_shared_bus(self) -> bool:
        """Whether several processes may consume from the bus."""
        return isinstance(self.bus_place, KafkaCluster)

    @property
    def log_folder(self) -> Path | None:
        """Where the embedded log lies; None where the bus is a cluster."""
        place = self.bus_place
        return place.path.parent if isinstance(place, SqliteFile) else None

    @property
    def worker_count(self) -> int:
        """One per core by default, since the parent mostly waits for disk and workers."""
        return self.workers or os.cpu_count() or 1


@dataclass(frozen=True)
class ShownSetting:
    """One line of `--show-settings`. Secrets are hidden in `value`."""

    name: str
    value: str
    origin: str


def load_settings(*, shared_bus_for: str | None = None, **given: Any) -> HubSettings:
    """The settings; `given` are those of the command line, None where an option was left out.

    `shared_bus_for` names a command that needs a bus several processes can share.
    ConfigurationError that tells all problems of all settings at once.
    """
    given = {name: value for name, value in given.items() if value is not None}
    origins = dict.fromkeys(given, "command line")
    problems: list[str] = []
    wrong: set[str] = set()
    for name, variable in _FROM_FILES.items():
        if name in given or not (path := os.environ.get(variable)):
            continue
        if os.environ.get(_variable(name)):
            problems.append(f"{_variable(name)} and {variable} are both set: unset one of them.")
        try:
            given[name] = Path(path).read_text(encoding="utf-8").strip()
            origins[name] = f"file {path}"
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{variable} is {path!r}: the file cannot be read ({_cause(error)}).")
            wrong.add(name)
    settings, found = _parsed(given)
    problems += [*found.values(), *_conflicts(settings, {*wrong, *found}), *_problems_beside()]
    if shared_bus_for and not settings.has_shared_bus and not any(text.startswith("HUB_BUS ") for text in problems):
        problems.append(
            f"HUB_BUS is {settings.bus or 'not set'}: the embedded log serves one process, and `{shared_bus_for}` is "
            "one of several. Write kafka://HOST:PORT, or run everything in one process with `hub up`."
        )
    if problems:
        raise ConfigurationError(
            f"{len(problems)} {'setting is' if len(problems) == 1 else 'settings are'} wrong. Nothing was started. "
            + " ".join(problems),
            next_step="Correct them and start again; `--show-settings` shows what is set.",
        )
    settings._origins.update(origins)
    return settings


def shown(settings: HubSettings) -> list[ShownSetting]:
    """Every setting with its value and where it comes from, by name."""
    return [
        ShownSetting(_variable(name), _shown_value(name, value), _origin(name, settings._origins))
        for model in (settings, HttpSettings())
        for name, value in _values(model)
    ]


# ---- inside ---------------------------------------------------------------------------------------------------


def _parsed(given: dict[str, Any]) -> tuple[HubSettings, dict[str, str]]:
    """The settings, with the defaults of those that are wrong; and what is wrong with them."""
    try:
        return HubSettings(**given), {}
    except ValidationError as error:
        problems = _texts(error)
        defaults = {name: HubSettings.model_fields[name].default for name in problems}
        return HubSettings(**(given | defaults)), problems


def _texts(error: ValidationError) -> dict[str, str]:
    """What is wrong with each setting."""
    return {
        (name := str(one["loc"][0])): f"{_variable(name)} is {_found(name, one['input'])}: "
        f"{one['msg'].removeprefix('Value error, ')}."
        for one in error.errors()
    }


def _found(name: str, value: object) -> str:
    return repr(_shown_value(name, value)) if value is not None else "missing"


def _conflicts(settings: HubSettings, wrong: Collection[str]) -> list[str]:
    """Settings that are right by themselves and cannot work together. `wrong`: settings that have a default instead."""
    found = (*_place_conflicts(settings), *_kafka_conflicts(settings), *_model_conflicts(settings))
    return [text for names, text in found if names.isdisjoint(wrong)]


_Conflict = tuple[frozenset[str], str]


def _place_conflicts(settings: HubSettings) -> Iterator[_Conflict]:
    if isinstance(settings.files_place, GridFs) and not isinstance(settings.store_place, MongoServer):
        yield (
            frozenset({"files", "store"}),
            "HUB_FILES is gridfs: that needs HUB_STORE=mongodb://..., write file:///DIR for a folder.",
        )


def _kafka_conflicts(settings: HubSettings) -> Iterator[_Conflict]:
    login = frozenset({"kafka_protocol", "kafka_username", "kafka_password"})
    has_login = settings.kafka_username is not None and settings.kafka_password is not None
    has_any_login = settings.kafka_username is not None or settings.kafka_password is not None
    if settings.kafka_protocol.startswith("SASL") and not has_login:
        yield (
            login,
            f"HUB_KAFKA_PROTOCOL is {settings.kafka_protocol}: set HUB_KAFKA_USERNAME and HUB_KAFKA_PASSWORD too.",
        )
    if has_any_login and not settings.kafka_protocol.startswith("SASL"):
        yield (
            login,
            f"HUB_KAFKA_PROTOCOL is {settings.kafka_protocol}, which sends no user and password: "
            "write SASL_SSL or SASL_PLAINTEXT.",
        )
    if (settings.kafka_cert_file is None) != (settings.kafka_key_file is None):
        yield (
            frozenset({"kafka_cert_file", "kafka_key_file"}),
            "HUB_KAFKA_CERT_FILE and HUB_KAFKA_KEY_FILE belong together: set both or none.",
        )
    for name in ("kafka_ca_file", "kafka_cert_file", "kafka_key_file"):
        path: Path | None = getattr(settings, name)
        if path is None:
            continue
        if not settings.kafka_protocol.endswith("SSL"):
            yield (
                frozenset({name, "kafka_protocol"}),
                f"{_variable(name)} needs an HUB_KAFKA_PROTOCOL of SSL or SASL_SSL, not {settings.kafka_protocol}.",
            )
        if not path.is_file():
            yield frozenset({name}), f"{_variable(name)} is '{path}': there is no such file."


def _model_conflicts(settings: HubSettings) -> Iterator[_Conflict]:
    if (settings.mapper_llm_url is None) != (settings.mapper_llm_model is None):
        yield (
            frozenset({"mapper_llm_url", "mapper_llm_model"}),
            "HUB_MAPPER_LLM_URL and HUB_MAPPER_LLM_MODEL belong together: set both or none.",
        )
    if settings.mapper_llm_key is not None and settings.mapper_llm_url is None:
        yield (
            frozenset({"mapper_llm_key", "mapper_llm_url"}),
            "HUB_MAPPER_LLM_KEY is set without HUB_MAPPER_LLM_URL: set the address too, or unset the key.",
        )


def _problems_beside() -> list[str]:
    """What is wrong with the settings that other parts read by themselves."""
    problems: list[str] = []
    try:
        HttpSettings()
    except ValidationError as error:
        problems += _texts(error).values()
    try:
        fail_points.check_setting()
    except HubError as error:
        problems.append(error.message)
    return problems


def _values(model: BaseSettings) -> list[tuple[str, object]]:
    """(name, value) of each setting, the places as they were worked out."""
    places = {}
    if isinstance(model, HubSettings):
        places = {
            "bus": model.bus or f"sqlite:///{model.data_dir / 'log.db'}",
            "store": model.store or f"sqlite:///{model.data_dir / 'store.db'}",
            "files": model.files or f"file:{model.data_dir / 'files'}",
            "workers": model.worker_count,
        }
    return [(name, places.get(name, getattr(model, name))) for name in type(model).model_fields]


def _shown_value(name: str, value: object) -> str:
    is_secret = name in HubSettings.model_fields and (isinstance(value, SecretStr) or name in _FROM_FILES)
    if is_secret and name != "store" and value is not None:
        return "***"
    if value is None:
        return ""
    # Whoever writes a key behind the address, where it is refused, must not find it in a terminal or a log.
    text = _QUERY.sub("?***", str(value)) if name == "mapper_llm_url" else str(value)
    return without_secrets(text)


def _origin(name: str, origins: dict[str, str]) -> str:
    return origins.get(name) or ("environment" if os.environ.get(_variable(name)) else "default")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _cause(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is no text"
