"""Archives of version 1: keys outside the ledger become ledger rows, as in migration 3.

A balance had the key of the member's last claim if that paid nothing; a membership had the key of
a free join. Each becomes a ledger row of 0 bytes, unless another ledger row has the same key. The
time of the last transfer was not stored; it is computed from the ledger.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from ..domain.rules import MAX_BYTES
from ..sql.statement import Statement
from .records import (
    BalanceRecord,
    Details,
    EntryRecord,
    Key,
    MemberRecord,
    MembershipRecord,
    Record,
    SquadRecord,
    TransactionRecord,
    check_claim,
    check_squad_act,
)
from .version_2 import ConfigRecordV2, TransactionRecordV2


class BalanceRecordV1(MemberRecord):
    """A member's balance, and the key of the last claim if that paid nothing."""

    claim_key: Key | None = None
    claim_details: Details | None = None

    @model_validator(mode="after")
    def _check_claim(self) -> Self:
        if self.claim_key is not None:
            check_claim(self.claim_details)
        return self

    def convert(self) -> BalanceRecord:
        """Return the current record; the time of the last transfer is computed later."""
        shared = {name: getattr(self, name) for name in MemberRecord.model_fields}
        return BalanceRecord.model_construct(**shared, last_transfer_at=None, left_at=None)

    def claimed_at(self) -> datetime:
        """Return an estimate of the claim's time.

        It is the time of the last change if that was on the claim's date, else the start of that
        date.
        """
        if self.last_daily is None or self.last_daily == self.updated_at.date():
            return self.updated_at
        return datetime.combine(self.last_daily, time.min, tzinfo=UTC)


class MembershipRecordV1(MembershipRecord):
    """A member's squad, and the key of the join if that was free."""

    idempotency_key: Key | None = None

    def convert(self) -> MembershipRecord:
        """Return the current record."""
        shared = {name: getattr(self, name) for name in MembershipRecord.model_fields}
        return MembershipRecord.model_construct(**shared)


class TransactionRecordV1(TransactionRecordV2):
    """A row of the ledger: at least 1 byte, and with other names in the details."""

    amount: Annotated[int, Field(ge=1, le=MAX_BYTES)]

    def check_squad_details(self, details: dict[str, Any] | None) -> None:
        """Raise ValueError if these are not the details of a squad row."""
        check_squad_act(details, "how", ("join", "switch"))

    def convert(self) -> TransactionRecord:
        """Return the current record."""
        shared = {name: getattr(self, name) for name in EntryRecord.model_fields}
        if self.kind == "squad" and self.details is not None:
            squad_id = self.details["squad_id"]
            shared["details"] = {"action": self.details["how"], "squad_id": squad_id}
        return TransactionRecord.model_construct(**shared, reverses_id=None)


RecordV1 = BalanceRecordV1 | MembershipRecordV1 | TransactionRecordV1
TableRecordV1 = ConfigRecordV2 | SquadRecord | RecordV1

INSERT_CLAIM = Statement("""
    INSERT INTO bytes_transactions
        (guild_id, id, giver_id, giver_username, receiver_id, receiver_username, amount,
         created_at, kind, idempotency_key, details)
    VALUES ($1, $2, 'SYSTEM', 'SYSTEM', $3, '', 0, $4, 'daily', $5, $6)
    ON CONFLICT (guild_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
""")
"""Insert a claim. $1 guild, $2 id, $3 user, $4 timestamp, $5 key, $6 details."""

INSERT_JOIN = Statement("""
    INSERT INTO bytes_transactions
        (guild_id, id, giver_id, giver_username, receiver_id, receiver_username, amount, reason,
         created_at, kind, idempotency_key, details)
    SELECT $1::text, $2::uuid, $3::text, '', 'SYSTEM', 'SYSTEM', 0, name,
        $4::timestamptz, 'squad', $5::text, $6::jsonb
    FROM squads WHERE guild_id = $1::text AND id = $7::uuid
    ON CONFLICT (guild_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
""")
"""Insert a join. $1 … $6 as in `INSERT_CLAIM`, $7 squad."""

RELEASE_KEY = Statement("""
    DELETE FROM bytes_transactions WHERE guild_id = $1 AND idempotency_key = $2 AND amount = 0
""")
"""Delete the row of 0 bytes with this key, because a ledger row has the same key."""

SET_LAST_TRANSFERS = Statement("""
    UPDATE bytes_balances SET last_transfer_at = (
        SELECT max(created_at) FROM bytes_transactions
        WHERE guild_id = $1 AND giver_id = bytes_balances.user_id
          AND giver_id <> 'SYSTEM' AND kind = 'transfer'
    )
    WHERE guild_id = $1
""")
"""Set the time of each member's last transfer. $1 guild."""

COUNT_MOVED = Statement("""
    SELECT count(*) AS moved FROM bytes_transactions WHERE guild_id = $1 AND amount = 0
""")
"""Count the rows that were made from keys. $1 guild."""


def claims_to_insert(guild_id: str, records: Iterable[Record]) -> list[list[Any]]:
    """Return the parameters of `INSERT_CLAIM` for each balance with a key."""
    return [
        [
            guild_id,
            _uuid7(record.claimed_at()),
            record.user_id,
            record.claimed_at(),
            record.claim_key,
            json.dumps(record.claim_details),
        ]
        for record in records
        if isinstance(record, BalanceRecordV1) and record.claim_key
    ]


def joins_to_insert(guild_id: str, records: Iterable[Record]) -> list[list[Any]]:
    """Return the parameters of `INSERT_JOIN` for each membership with a key."""
    return [
        [
            guild_id,
            _uuid7(record.joined_at),
            record.user_id,
            record.joined_at,
            record.idempotency_key,
            json.dumps({"action": "join", "squad_id": str(record.squad_id)}),
            record.squad_id,
        ]
        for record in records
        if isinstance(record, MembershipRecordV1) and record.idempotency_key
    ]


def keys_to_release(guild_id: str, records: Iterable[Record]) -> list[list[Any]]:
    """Return the parameters of `RELEASE_KEY` for each ledger row with a key."""
    return [
        [guild_id, record.idempotency_key]
        for record in records
        if isinstance(record, TransactionRecordV1) and record.idempotency_key
    ]


def _uuid7(at: datetime) -> UUID:
    milliseconds = int(at.timestamp() * 1000)
    random_bits = int.from_bytes(os.urandom(10))
    return UUID(
        int=milliseconds << 80
        | 0x7 << 76
        | (random_bits >> 68) << 64
        | 0b10 << 62
        | random_bits % 2**62
    )
