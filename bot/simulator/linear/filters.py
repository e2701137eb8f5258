"""Linear's filter inputs, applied to entities.

One rule serves all of them: a comparator compares a value, an object filter looks at properties, a collection filter
wants `some` (the default), `every`, or counts with `length`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from bot.simulator.linear.errors import invalid_argument

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "neq": lambda value, wanted: value != wanted,
    "in": lambda value, wanted: value in wanted,
    "nin": lambda value, wanted: value not in wanted,
    "gt": lambda value, wanted: value is not None and value > wanted,
    "gte": lambda value, wanted: value is not None and value >= wanted,
    "lt": lambda value, wanted: value is not None and value < wanted,
    "lte": lambda value, wanted: value is not None and value <= wanted,
    "contains": lambda value, wanted: wanted in (value or ""),
    "notContains": lambda value, wanted: wanted not in (value or ""),
    "containsIgnoreCase": lambda value, wanted: wanted.lower() in (value or "").lower(),
    "containsIgnoreCaseAndAccent": lambda value, wanted: wanted.lower() in (value or "").lower(),
    "notContainsIgnoreCase": lambda value, wanted: wanted.lower() not in (value or "").lower(),
    "startsWith": lambda value, wanted: (value or "").startswith(wanted),
    "startsWithIgnoreCase": lambda value, wanted: (value or "").lower().startswith(wanted.lower()),
    "notStartsWith": lambda value, wanted: not (value or "").startswith(wanted),
    "endsWith": lambda value, wanted: (value or "").endswith(wanted),
    "notEndsWith": lambda value, wanted: not (value or "").endswith(wanted),
    "eqIgnoreCase": lambda value, wanted: (value or "").lower() == wanted.lower(),
    "neqIgnoreCase": lambda value, wanted: (value or "").lower() != wanted.lower(),
}
_DURATION = re.compile(r"(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@cache
def snake(name: str) -> str:
    """`stateId` as Python writes it, `state_id`; asked for every field of every answer."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def matches(value: Any, where: Mapping[str, Any], now: datetime) -> bool:
    """Whether `value` (an entity, a list of entities, a plain value or None) satisfies the filter `where`.

    Raises:
        LinearError: a date that is neither ISO 8601 nor a duration.
    """
    return all(_fits(value, key, wanted, now) for key, wanted in where.items() if wanted is not None)


def _fits(value: Any, key: str, wanted: Any, now: datetime) -> bool:
    if key == "and":
        return all(matches(value, each, now) for each in wanted)
    if key == "or":
        return any(matches(value, each, now) for each in wanted)
    if key == "null":
        return bool((value is None or value == []) == wanted)
    if isinstance(value, list):
        return _fits_collection(value, key, wanted, now)
    if key in _OPERATORS:
        return _compares(value, key, wanted, now)
    return value is not None and matches(getattr(value, snake(key)), wanted, now)


def _fits_collection(values: list[Any], key: str, wanted: Any, now: datetime) -> bool:
    if key == "length":
        return matches(len(values), wanted, now)
    if key == "every":
        return all(matches(value, wanted, now) for value in values)
    inner = wanted if key == "some" else {key: wanted}
    return any(matches(value, inner, now) for value in values)


def _compares(value: Any, key: str, wanted: Any, now: datetime) -> bool:
    if isinstance(value, datetime):
        wanted = [moment(each, now) for each in wanted] if isinstance(wanted, list) else moment(wanted, now)
    return bool(_OPERATORS[key](value, wanted))


def moment(text: str, now: datetime) -> datetime:
    """The moment that an ISO 8601 date, or a duration from now such as `-P2W`, names.

    Raises:
        LinearError: neither.
    """
    match = _DURATION.fullmatch(text)
    if match and text[-1] not in "PT":
        years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
        span = timedelta(
            days=365 * years + 30 * months + days, weeks=weeks, hours=hours, minutes=minutes, seconds=seconds
        )
        return now - span if match.group(1) else now + span
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_argument(f"{text} is neither a date nor a duration.") from None
    return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
