"""Validate arguments: each function returns the stored form of a value or raises.

The limits are Discord's (ids are unsigned 64-bit integers, see "Snowflakes" in its API reference)
and the databases' (64-bit integers; PostgreSQL stores no NUL, UTF-8 has no lone surrogates).

A value of a subclass of str or int, such as a member of an enumeration, is converted to a plain str
or int before it is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from .errors import (
    InvalidAmountError,
    InvalidPageError,
    InvalidSnowflakeError,
    InvalidTextError,
    SquadNotFoundError,
    TransactionNotFoundError,
)
from .rules import EARLIEST, KINDS, LATEST, MAX_BYTES

MAX_SNOWFLAKE = 2**64 - 1
SNOWFLAKE_DIGITS = 20
MAX_USERNAME = 100
MAX_REASON = 200
MAX_KEY = 100
MAX_TIMEZONE = 64
MAX_PAGE = 10_000


def snowflake(value: str | int) -> str:
    """Return a Discord id in its stored form: the decimal form of 1 … 2⁶⁴−1.

    Raises:
        InvalidSnowflakeError: For anything else: bool, signs, spaces, leading zeros, other digits.
    """
    exact = value if type(value) is str else builtin(value)
    if type(exact) is str:
        if (
            1 <= len(exact) <= SNOWFLAKE_DIGITS
            and exact.isascii()
            and exact.isdigit()
            and exact[0] != "0"
            and (len(exact) < SNOWFLAKE_DIGITS or int(exact) <= MAX_SNOWFLAKE)
        ):
            return exact
    elif type(exact) is int and 1 <= exact <= MAX_SNOWFLAKE:
        return str(exact)
    raise InvalidSnowflakeError(value)


def optional_snowflake(value: str | int | None) -> str | None:
    """Return a Discord id in its stored form, or None.

    Raises:
        InvalidSnowflakeError: It is neither.
    """
    return None if value is None else snowflake(value)


def snowflakes(values: Iterable[str | int]) -> set[str]:
    """Return several Discord ids in their stored form.

    Raises:
        InvalidSnowflakeError: One is not valid, or the value is not a collection of them.
    """
    # The digits of a single id would be taken for ids.
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidSnowflakeError(values)
    return {snowflake(value) for value in values}


def amount(value: int) -> int:
    """Return an amount to move: an int of 1 … 2⁶³−1 whole bytes.

    Raises:
        InvalidAmountError: For anything else, bool included.
    """
    if (number := _int_between(value, 1, MAX_BYTES)) is None:
        raise InvalidAmountError(value)
    return number


def balance(value: int) -> int:
    """Return a balance: an int of 0 … 2⁶³−1 whole bytes.

    Raises:
        InvalidAmountError: For anything else, bool included.
    """
    if (number := _int_between(value, 0, MAX_BYTES)) is None:
        raise InvalidAmountError(value)
    return number


def text(field: str, value: str, max_length: int) -> str:
    """Return a text that both databases store unchanged.

    Args:
        field: The parameter's name, for the error.
        value: The text.
        max_length: Largest number of code points.

    Raises:
        InvalidTextError: It is not a str, is too long, or contains a NUL or a lone surrogate.
    """
    exact = value if type(value) is str else builtin(value)
    if type(exact) is not str or len(exact) > max_length or "\0" in exact:
        raise InvalidTextError(field)
    if not exact.isascii():
        try:
            exact.encode()
        except UnicodeEncodeError:
            raise InvalidTextError(field) from None
    return exact


def username(value: str, field: str = "username") -> str:
    """Return a member's name, up to 100 characters.

    Raises:
        InvalidTextError: See `text`.
    """
    return text(field, value, MAX_USERNAME)


def reason(value: str | None) -> str | None:
    """Return the reason of a movement, up to 200 characters, or None.

    Raises:
        InvalidTextError: See `text`.
    """
    return None if value is None else text("reason", value, MAX_REASON)


def idempotency_key(value: str | int | None) -> str | None:
    """Return a key of 1 … 100 characters, or None; a Discord interaction's id may come as an int.

    Raises:
        InvalidTextError: See `text`; also for an empty key.
    """
    if value is None:
        return None
    exact = builtin(value)
    if type(exact) is int and 0 < exact <= MAX_SNOWFLAKE:
        return str(exact)
    if type(exact) is not str or not exact:
        raise InvalidTextError("idempotency_key")
    return text("idempotency_key", exact, MAX_KEY)


def timezone(value: str) -> str:
    """Return the name of an IANA time zone that this machine has, such as ``Europe/Berlin``.

    Raises:
        InvalidTextError: It is not such a name.
    """
    name = text("timezone", value, MAX_TIMEZONE)
    if find_timezone(name) is None:
        raise InvalidTextError("timezone")
    return name


def find_timezone(name: str) -> tzinfo | None:
    """Return the time zone of this name, or None if this machine does not have it."""
    if name == "UTC":  # known without time zone data as well
        return UTC
    # zoneinfo looks for a file of this name. The folders and files that are excluded depend on the
    # machine, or count leap seconds.
    if not _ZONE_NAME.fullmatch(name) or name.partition("/")[0] in _NOT_IANA:
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # not found, not a zone's file, a folder
        return None


_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_NOT_IANA = ("localtime", "posixrules", "posix", "right")


def limit(value: int) -> int:
    """Return the number of rows of a page, 1 … 10,000.

    Raises:
        InvalidPageError: For anything else.
    """
    if (number := _int_between(value, 1, MAX_PAGE)) is None:
        raise InvalidPageError(value)
    return number


def offset(value: int) -> int:
    """Return the number of rows before a page, 0 … 2⁶³−1.

    Raises:
        InvalidPageError: For anything else.
    """
    if (number := _int_between(value, 0, MAX_BYTES)) is None:
        raise InvalidPageError(value)
    return number


def aware_datetime(value: datetime) -> datetime:
    """Return a limit of a period in UTC.

    Raises:
        InvalidPageError: It is not a timezone-aware datetime, or is outside the calendar in UTC.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidPageError(value)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidPageError(value) from None


def period(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """Return a period's first instant and the one after its last, in UTC; None is no limit.

    Raises:
        InvalidPageError: One is invalid, see `aware_datetime`, or the period ends before it begins.
    """
    begin = EARLIEST if since is None else aware_datetime(since)
    end = LATEST if until is None else aware_datetime(until)
    if end <= begin:
        raise InvalidPageError(until if until is not None else since)
    return begin, end


def kind(value: str) -> str:
    """Return a kind of ledger rows.

    Raises:
        InvalidPageError: There is no such kind.
    """
    exact = builtin(value)
    if type(exact) is not str or exact not in KINDS:
        raise InvalidPageError(value)
    return exact


def squad_id(value: UUID | str) -> UUID:
    """Return a squad's id.

    Raises:
        SquadNotFoundError: It is not a UUID, so no squad can have it.
    """
    if (uuid := _uuid(value)) is None:
        raise SquadNotFoundError(value)
    return uuid


def transaction_id(value: UUID | str) -> UUID:
    """Return the id of a ledger row.

    Raises:
        TransactionNotFoundError: It is not a UUID, so no row can have it.
    """
    if (uuid := _uuid(value)) is None:
        raise TransactionNotFoundError(value)
    return uuid


def now(clock: Callable[[], datetime]) -> datetime:
    """Return the clock's time in UTC.

    Raises:
        ValueError: The clock returned a time without a timezone.
    """
    time = clock()
    if time.tzinfo is None or time.utcoffset() is None:
        raise ValueError("the clock must return timezone-aware datetimes")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("the clock must return datetimes that the calendar has in UTC") from None


def builtin(value: object) -> object:
    """Convert an instance of a str or int subclass to a plain str or int; return others unchanged.

    ``str(value)`` and ``int(value)`` call methods that a subclass may override: the first returns
    ``'Guilds.MAIN'`` for a member of an enumeration. The calls below cannot be overridden, nor can
    ``type``.
    """
    kind = type(value)
    if kind is not bool:
        if issubclass(kind, str):
            return str.__str__(value)
        if issubclass(kind, int):
            return int.__add__(value, 0)  # type: ignore[operator]
    return value


def _int_between(value: object, minimum: int, maximum: int) -> int | None:
    exact = value if type(value) is int else builtin(value)
    return exact if type(exact) is int and minimum <= exact <= maximum else None


def _uuid(value: object) -> UUID | None:
    if type(value) is UUID:
        return value
    if isinstance(value, UUID):  # asyncpg's subclass
        return UUID(int=value.int)
    exact = builtin(value)
    if type(exact) is str:
        try:
            return UUID(exact)
        except ValueError:
            pass
    return None
