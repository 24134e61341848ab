"""Every setting: its name in the environment, its default, and what is allowed."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources.utils import parse_env_vars

from avcache.errors import ConfigError

__all__ = ["Settings"]

logger = logging.getLogger(__name__)

_OURS = ("REDIS_", "CACHE_", "AVCACHE_")
_NOT_SETTINGS = ("AVCACHE_TEST_", "AVCACHE_SKIP_", "AVCACHE_CHROMIUM")
_SCHEMES = ("redis", "rediss", "unix")


def _check_url(url: SecretStr | None) -> SecretStr | None:
    if url is not None and urlsplit(url.get_secret_value()).scheme not in _SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return url


Seconds = Annotated[float, Field(gt=0, le=30 * 24 * 3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """
    The settings of one process, frozen. `from_env` is the way in; field names in upper case are the variables' names.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    redis_enabled: bool = Field(False, description="Keep entries in Redis or Valkey instead of in this process")
    redis_host: str = Field("localhost", min_length=1, description="Where the server is")
    redis_port: int = Field(6379, ge=1, le=65535, description="Its port")
    redis_db: int = Field(0, ge=0, le=1_000_000, description="Number of the database")
    redis_password: SecretStr | None = Field(None, description="Password, if the server wants one")
    redis_url: Annotated[SecretStr | None, AfterValidator(_check_url)] = Field(
        None, description="`redis://`, `rediss://` or `unix://` address; takes the place of host, port and db"
    )
    redis_prefix: str = Field(
        "alphavelocity:",
        pattern=r"^[A-Za-z0-9_.-]{1,64}:$",
        description="Begins every key in Redis: letters, digits and _ . - with a colon at the end",
    )
    redis_max_connections: int = Field(50, ge=1, le=10_000, description="Most connections of one process")
    redis_timeout: float = Field(
        0.25, ge=0.05, le=5, description="Seconds to wait for the server before memory takes over"
    )

    cache_default_ttl: Seconds = Field(3600, description="Seconds a value stays fresh where nothing else is said")
    cache_price_ttl: Seconds = Field(300, description="Seconds a price (and the history behind it) stays fresh")
    cache_momentum_ttl: Seconds = Field(1800, description="Seconds a momentum score stays fresh")
    cache_portfolio_ttl: Seconds = Field(600, description="Seconds a portfolio analysis stays fresh")
    cache_stale_ttl: float = Field(
        3600,
        ge=0,
        le=7 * 24 * 3600,
        description="Further seconds prices, scores and portfolios are served while they are loaded again",
    )
    cache_max_ttl: Seconds = Field(7 * 24 * 3600, description="Longest time to live that is accepted, seconds")
    cache_max_value_bytes: int = Field(2**20, ge=1024, description="Larger values are handed out, but not kept")
    cache_memory_max_entries: int = Field(100_000, ge=1, description="Most entries in memory; least used go first")
    cache_memory_max_bytes: int = Field(256 * 2**20, ge=2**20, description="Most bytes in memory; least used go first")

    avcache_provider: Literal["auto", "yahoo", "sample"] = Field(
        "auto",
        description="Source of prices; `auto` is the sample until Yahoo answers (with Redis: always Yahoo)",
    )
    avcache_yahoo_url: str | None = Field(
        None,
        pattern=r"^https?://[^/]+/?$",
        description="Send what would go to Yahoo to this address: for tests and drills",
    )
    avcache_api_token: SecretStr | None = Field(
        None, min_length=16, description="Bearer token for whatever changes something; a must beyond loopback"
    )
    avcache_allowed_hosts: str = Field(
        "", description="Host names, separated by commas, that may stand in the address besides localhost"
    )
    avcache_log_dir: Path = Field(Path("logs"), description="Folder of `alphavelocity.log`")
    avcache_access_log: bool = Field(False, description="Write `Cache HIT <key>` and `Cache MISS <key>` to the log")

    @field_validator("redis_prefix", mode="before")
    @classmethod
    def _no_blank_prefix(cls, prefix: object) -> object:
        return prefix.strip() if isinstance(prefix, str) else prefix

    @classmethod
    def from_env(cls, env: Mapping[str, str], dotenv: Path | None = None) -> Settings:
        """
        Read the settings from *env*, then for what it lacks from the file *dotenv*, if there is one.

        Raises:
            ConfigError: Names every bad setting, the value found (secrets masked) and what is allowed.
        """
        merged = {**_read_dotenv(dotenv), **env}
        _warn_of_unknown(cls, merged)

        class FromMapping(cls):  # type: ignore[misc, valid-type]
            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], **_others: PydanticBaseSettingsSource
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return (_MappingSource(settings_cls, merged),)

        try:
            made = FromMapping()
        except ValidationError as exc:
            raise ConfigError(_explain(exc, merged)) from None
        return cls.model_construct(**{name: getattr(made, name) for name in cls.model_fields})

    @property
    def redis_address(self) -> str:
        """The URL to connect to, password included: never to be shown."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        host = f"[{self.redis_host}]" if ":" in self.redis_host else quote(self.redis_host)
        return f"redis://{host}:{self.redis_port}/{self.redis_db}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names that may stand in the address besides those of this machine."""
        return tuple(host.strip() for host in self.avcache_allowed_hosts.split(",") if host.strip())


class _MappingSource(EnvSettingsSource):
    """Reads from a mapping instead of from the environment of the process."""

    def __init__(self, settings_cls: type[BaseSettings], env: Mapping[str, str]) -> None:
        self._env = env
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._env, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str)


def _read_dotenv(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is such a file

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _warn_of_unknown(settings: type[Settings], env: Mapping[str, str]) -> None:
    known = [name.upper() for name in settings.model_fields]
    for name in env:
        upper = name.upper()
        if not upper.startswith(_OURS) or upper.startswith(_NOT_SETTINGS) or upper in known:
            continue
        near = difflib.get_close_matches(upper, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        logger.warning("unknown setting %s is ignored%s", name, hint)


def _explain(exc: ValidationError, env: Mapping[str, str]) -> str:
    found: dict[str, Any] = {name.upper(): value for name, value in env.items()}
    lines = []
    for error in exc.errors(include_url=False, include_input=False, include_context=False):
        name = str(error["loc"][0]).upper()
        is_secret = any(word in name for word in ("PASSWORD", "TOKEN", "URL"))
        value = "***" if is_secret else repr(str(found.get(name, ""))[:80])
        lines.append(f"{name}={value}: {error['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
