"""The settings in force, and where they come from. Secrets are never shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd
from pydantic import SecretStr

from avcache.config import Settings, Source

__all__ = ["HIDDEN", "settings_table"]

HIDDEN: Final = "set, hidden"
_IN_PLACE_OF: Final = frozenset({"redis_host", "redis_port", "redis_db"})


def settings_table(settings: Settings, sources: Mapping[str, Source]) -> pd.DataFrame:
    """
    One row each, those that somebody set first: Setting, Value, Meaning, Source, Default.

    Args:
        sources: By field; a dash is shown for what is not in it.
    """
    fields = sorted(Settings.model_fields, key=lambda name: sources.get(name, "default") == "default")
    return pd.DataFrame(
        {
            "Setting": [name.upper() for name in fields],
            "Value": [_value(settings, name) for name in fields],
            "Meaning": [(Settings.model_fields[name].description or "").replace("`", "") for name in fields],
            "Source": [sources.get(name, "–") for name in fields],
            "Default": [_shown(Settings.model_fields[name].default) for name in fields],
        }
    )


def _value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if name.endswith("url") and "@" in str(value):  # who signs in there, and with what
        return HIDDEN
    if name in _IN_PLACE_OF and settings.redis_url is not None:
        return "unused: REDIS_URL"
    return _shown(value)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)
