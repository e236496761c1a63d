"""What a caller may hand in: each function returns the value as it is stored, or refuses it.

The limits are Discord's (ids are unsigned 64-bit integers, see "Snowflakes" in its API reference)
and the databases' (64-bit integers; PostgreSQL stores no NUL, UTF-8 has no lone surrogates).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from .errors import (
    InvalidAmountError,
    InvalidPageError,
    InvalidSnowflakeError,
    InvalidTextError,
    SquadNotFoundError,
)
from .rules import MAX_BYTES

MAX_SNOWFLAKE = 2**64 - 1
SNOWFLAKE_DIGITS = 20
MAX_USERNAME = 100
MAX_REASON = 200
MAX_KEY = 100
MAX_PAGE = 10_000


def snowflake(value: str | int) -> str:
    """A Discord id as it is stored: the decimal form of 1 … 2⁶⁴−1.

    Raises:
        InvalidSnowflakeError: For anything else: bool, signs, spaces, leading zeros, other digits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= MAX_SNOWFLAKE:
            return str(int(value))
    elif (
        isinstance(value, str)
        and 1 <= len(value) <= SNOWFLAKE_DIGITS
        and value.isascii()
        and value.isdigit()
        and value[0] != "0"
        and (len(value) < SNOWFLAKE_DIGITS or int(value) <= MAX_SNOWFLAKE)
    ):
        return str(value)
    raise InvalidSnowflakeError(value)


def optional_snowflake(value: str | int | None) -> str | None:
    """A Discord id or None.

    Raises:
        InvalidSnowflakeError: When it is neither.
    """
    return None if value is None else snowflake(value)


def whole_bytes(value: int) -> int:
    """An amount to move: an int of 1 … 2⁶³−1 whole bytes.

    Raises:
        InvalidAmountError: For anything else, bool included.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_BYTES:
        return int(value)
    raise InvalidAmountError(value)


def text(field: str, value: str, longest: int) -> str:
    """A text that both databases store as it is.

    Args:
        field: The parameter's name, for the error.
        value: The text.
        longest: How many code points it may have.

    Raises:
        InvalidTextError: When it is no str, too long, or holds a NUL or a lone surrogate.
    """
    if isinstance(value, str) and len(value) <= longest and "\0" not in value:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidTextError(field) from None
        return str(value)
    raise InvalidTextError(field)


def username(value: str, field: str = "username") -> str:
    """A member's name, up to 100 characters.

    Raises:
        InvalidTextError: See `text`.
    """
    return text(field, value, MAX_USERNAME)


def reason(value: str | None) -> str | None:
    """Why bytes moved, up to 200 characters, or None.

    Raises:
        InvalidTextError: See `text`.
    """
    return None if value is None else text("reason", value, MAX_REASON)


def idempotency_key(value: str | int | None) -> str | None:
    """A key of 1 … 100 characters, or None; a Discord interaction's id may come as an int.

    Raises:
        InvalidTextError: See `text`; also for an empty key.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_SNOWFLAKE:
        return str(int(value))
    if value == "":
        raise InvalidTextError("idempotency_key")
    return text("idempotency_key", value, MAX_KEY)  # type: ignore[arg-type]  # refuses non-texts


def limit(value: int) -> int:
    """How many rows a page has, 1 … 10,000.

    Raises:
        InvalidPageError: For anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_PAGE:
        return int(value)
    raise InvalidPageError(value)


def offset(value: int) -> int:
    """How many rows come before a page, 0 … 2⁶³−1.

    Raises:
        InvalidPageError: For anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_BYTES:
        return int(value)
    raise InvalidPageError(value)


def squad_id(value: UUID | str) -> UUID:
    """A squad's id.

    Raises:
        SquadNotFoundError: When it is no UUID: then no squad can have it.
    """
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise SquadNotFoundError(value) from None


def instant(clock: Callable[[], datetime]) -> datetime:
    """The clock's time in UTC.

    Raises:
        ValueError: When the clock gives a time without a timezone.
    """
    now = clock()
    if now.tzinfo is None or now.utcoffset() is None:
        raise ValueError("the clock must give timezone-aware datetimes")
    return now.astimezone(UTC)
