"""Settings of the HTTP side, from the environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class HttpSettings(BaseSettings):
    """Limits of the API. Environment: `HUB_` and the name in capitals, e.g. `HUB_UPLOAD_BYTES_MAX`."""

    model_config = SettingsConfigDict(env_prefix="HUB_", frozen=True)

    upload_bytes_max: int = Field(50 * MIB, gt=0, description="Bytes of one uploaded file.")
    request_bytes_max: int = Field(MIB, gt=0, description="Bytes of any other request body.")
    rate_limit_per_second: float = Field(50, gt=0, description="Calls a second that one token may make on average.")
    rate_limit_burst: int = Field(200, ge=1, description="Calls that one token may make at once after a pause.")
