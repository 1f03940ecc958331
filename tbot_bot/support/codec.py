"""Frozen dataclasses to JSON values and back, exactly: Decimal and dates as text, enums by value."""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from tbot_bot.domain.errors import DataInvalid
from tbot_bot.domain.money import parse_decimal

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """The JSON form of a dataclass, enum, Decimal, date or container of them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    return value


def from_json(kind: type[T], value: Mapping[str, Any]) -> T:
    """A `kind` dataclass from its JSON form. Missing fields take their defaults, unknown ones are ignored.

    Raises DataInvalid naming the field that cannot be read."""
    hints = _hints(cast("Any", kind))
    try:
        return kind(**{k: _read(hints[k], v) for k, v in value.items() if k in hints})
    except (TypeError, ValueError, KeyError) as error:
        raise DataInvalid(f"{kind.__name__} cannot be read: {error}") from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(hint: Any, value: Any) -> Any:
    if isinstance(hint, typing.NewType):
        return _read(hint.__supertype__, value)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _read_union(hint, value)
    if origin is tuple:
        return tuple(_read(typing.get_args(hint)[0], item) for item in value)
    if isinstance(hint, type):
        return _read_scalar(hint, value)
    return value


def _read_union(hint: Any, value: Any) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    if value is None:
        if len(kinds) == len(typing.get_args(hint)):
            raise ValueError("a value is missing")
        return None
    return _read(kinds[0], value)


def _read_scalar(hint: type, value: Any) -> Any:
    if is_dataclass(hint):
        return from_json(cast("type[Any]", hint), value)
    if issubclass(hint, Enum):
        return hint(value)
    if hint is Decimal:
        number = parse_decimal(value)
        if number is None:
            raise ValueError("not a finite number")
        return number
    if issubclass(hint, datetime | date | time):
        return hint.fromisoformat(value)
    if value is None or not isinstance(value, hint):
        raise ValueError(f"expected {hint.__name__}")
    return value
