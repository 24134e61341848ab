"""Figures as people read them: bytes, durations, shares, ages, days, money. Pure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

__all__ = [
    "add_up",
    "counted",
    "format_age",
    "format_bytes",
    "format_clock",
    "format_count",
    "format_day",
    "format_days",
    "format_money",
    "format_percent",
    "format_seconds",
    "money_affixes",
    "price_digits",
]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_WHOLE_MONEY_FROM = 1000


def format_bytes(size: float) -> str:
    """`512 B`, `80 kB`, `1.2 MB`: powers of 1,000, three digits at most."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5 or unit == "GB":  # noqa: PLR2004
            digits = 0 if unit == "B" or size >= 9.95 else 1  # noqa: PLR2004
            return f"{size:.{digits}f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def format_count(number: float) -> str:
    """`1,250`."""
    return f"{number:,.0f}"


def format_percent(share: float | None, digits: int = 1) -> str:
    """`93.4 %` of 0.934; a dash where there is nothing to divide."""
    return "–" if share is None or not math.isfinite(share) else f"{share * 100:.{digits}f} %"


def format_seconds(seconds: float | None) -> str:
    """A duration that was measured: `0.8 ms`, `480 ms`, `2.4 s`, `3 min 34 s`, `2 h 14 min`."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 0.9995:  # noqa: PLR2004 - so that no rounding ends in "1000 ms", nor below in "60.0 s"
        milliseconds = seconds * 1000
        if 0 < milliseconds < 0.05:  # noqa: PLR2004
            return "< 0.1 ms"
        return f"{milliseconds:.1f} ms" if milliseconds < 9.95 else f"{milliseconds:.0f} ms"  # noqa: PLR2004
    if seconds < 59.95:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return _two(whole // _MINUTE, "min", whole % _MINUTE, "s")
    if whole < _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def _two(large: int, unit: str, small: int, sub_unit: str) -> str:
    return f"{large} {unit} {small} {sub_unit}" if small else f"{large} {unit}"


def format_age(seconds: float | None) -> str:
    """A running time, as on a clock: `1:48`, `31:02`, `2:14:05`, `3 d 4 h`."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, int(seconds))
    if whole >= _DAY:
        return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
    hours, rest = divmod(whole, _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def format_clock(moment: float, now: float | None = None) -> str:
    """`13:31:05` of epoch seconds, in the time of this machine; with the day where that is not the one of *now*."""
    then = dt.datetime.fromtimestamp(moment).astimezone()
    if now is None or then.date() == dt.datetime.fromtimestamp(now).astimezone().date():
        return f"{then:%H:%M:%S}"
    return f"{then.day} {then:%b %H:%M:%S}"


def format_day(iso: str) -> str:
    """`28 Dec 2022` of an ISO date."""
    day = dt.date.fromisoformat(iso)
    return f"{day.day} {day:%b %Y}"


def format_days(first: str, last: str) -> str:
    """`28 Dec 2022`, or `23 Dec 2022 to 28 Dec 2022`."""
    return format_day(first) if first == last else f"{format_day(first)} to {format_day(last)}"


def format_money(amount: float, currency: str | None, digits: int | None = None) -> str:
    """`$19,622` or `19,622 EUR`; unless *digits* says otherwise, two decimals below 1,000 and none above."""
    if digits is None:
        digits = 0 if abs(amount) >= _WHOLE_MONEY_FROM else 2
    before, after = money_affixes(currency)
    return f"{before}{amount:,.{digits}f}{after}"


def counted(number: int, noun: str) -> str:
    """`1 key`, `89 keys`."""
    return f"{format_count(number)} {noun if number == 1 else f'{noun}s'}"


def price_digits(price: float) -> int:
    """Decimals of a price: two, or of one below 1 as many as show four of its digits."""
    return 2 if not 0 < price < 1 else 3 - math.floor(math.log10(price))


def money_affixes(currency: str | None) -> tuple[str, str]:
    """What stands before and after an amount: `$` and nothing, nothing and ` EUR`."""
    if currency == "USD":
        return "$", ""
    return "", f" {currency}" if currency else ""


def add_up(values: Sequence[float], total: float, digits: int) -> list[float]:
    """
    *values* rounded to *digits* so that they add up to *total*, which has as many.

    Each is cut, and what is left goes to those that lost most (largest remainder): no one moves by more than
    one in the last digit.
    """
    unit = 10**digits
    cut = [math.floor(value * unit) for value in values]
    short = round(total * unit) - sum(cut)
    by_loss = sorted(range(len(values)), key=lambda at: cut[at] - values[at] * unit)
    for at in by_loss[: max(0, short)]:
        cut[at] += 1
    return [whole / unit for whole in cut]
