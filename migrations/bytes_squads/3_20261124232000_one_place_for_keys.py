"""Idempotency keys in one place, the ledger; the time of the last transfer on the balance.

Every act of a member is a ledger row, of 0 bytes where it moves none. So a claim that paid nothing
and a join that was free no longer keep their keys on the member's rows:

- A balance with a claim_key becomes a "daily" row of 0 bytes, SYSTEM to member, with this key and
  claim_details as its details. It is dated when the balance last changed, if that was on the date
  of the claim, and otherwise at the start of that date (UTC), because the time was not recorded.
- A membership with a key becomes a "squad" row of 0 bytes, member to SYSTEM, dated when the member
  joined. Whether it was a join or a switch was not recorded: it becomes a join.
- These rows have no username, as none was recorded. Their ids have the form of UUID version 7.
- If a ledger row of the guild has the same key already, that row keeps the key, as it did before,
  and no row is added. The same goes for a claim and a join with the same key: the claim keeps it.
- The details of "squad" rows are named as those of other operations: "how" becomes "action".
- last_transfer_at is the time of the member's last ledger row of kind "transfer" as giver.

No bytes move, and no updated_at changes.

The downgrade moves a key back where the old tables have room for it: to the balance if it is the
key of the member's last claim, to the membership if the member still has it. It then deletes the
rows of 0 bytes, with their keys and with the history of free acts: the old tables cannot hold them.

PostgreSQL: a list of single statements, each sent alone, one constraint or column per ALTER, and
none of them changes guild_id. A database that is distributed by guild_id accepts no other form.
`upgrade` and `downgrade` execute the list themselves and return a statement without effect. (So
`aerich downgrade --fake`, which calls `downgrade` for its text, would execute it all the same.)
They run in Aerich's transaction, without a time limit for a statement. The tables are locked in the
order in which operations lock them.

SQLite: constraints are part of CREATE TABLE, so three tables are built again. It is one script, in
a transaction of its own like the scripts before it, because Python commits at the start of each.

Of processes that upgrade at the same time the later ones fail, at a constraint that is gone or a
column that is gone, and find the migration applied.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

NO_TIMEOUT = 7 * 24 * 3600.0
"""Seconds that the driver waits for a statement; its default would end a long one."""

_UNIQUE_KEY = """
    CREATE UNIQUE INDEX "uq_bytes_transactions_guild_id_idempotency_key"
        ON "bytes_transactions" ("guild_id", "idempotency_key")
        WHERE "idempotency_key" IS NOT NULL
"""

# PostgreSQL ---------------------------------------------------------------------------------------

POSTGRES = [
    "SET LOCAL statement_timeout = 0",
    # The first statement that a second process cannot repeat.
    """
    ALTER TABLE "squad_memberships" DROP CONSTRAINT "uq_squad_memberships_guild_id_idempotency_key"
    """,
    'ALTER TABLE "bytes_balances" ADD COLUMN "last_transfer_at" TIMESTAMPTZ',
    """
    ALTER TABLE "bytes_transactions"
        DROP CONSTRAINT "uq_bytes_transactions_guild_id_idempotency_key"
    """,
    _UNIQUE_KEY,
    'ALTER TABLE "bytes_transactions" DROP CONSTRAINT "ck_bytes_transactions_amount"',
    """
    ALTER TABLE "bytes_transactions" ADD CONSTRAINT "ck_bytes_transactions_amount" CHECK (
        "amount" >= 1 OR ("amount" = 0 AND "kind" = ANY ('{starting,daily,squad}'::text[]))
    )
    """,
    """
    UPDATE "bytes_transactions"
    SET "details" = jsonb_set("details" - 'how', '{action}', "details" -> 'how')
    WHERE "kind" = 'squad' AND "details" ? 'how'
    """,
    """
    INSERT INTO "bytes_transactions" (
        "id", "guild_id", "giver_id", "giver_username", "receiver_id", "receiver_username",
        "amount", "created_at", "kind", "idempotency_key", "details"
    )
    SELECT
        (
            lpad(to_hex(
                floor(extract(epoch FROM claim."at") * 1000)::bigint & 281474976710655
            ), 12, '0') || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14)
        )::uuid,
        claim."guild_id", 'SYSTEM', 'SYSTEM', claim."user_id", '',
        0, claim."at", 'daily', claim."claim_key", claim."claim_details"
    FROM (
        SELECT "guild_id", "user_id", "claim_key", "claim_details", CASE
            WHEN ("updated_at" AT TIME ZONE 'UTC')::date = "last_daily" THEN "updated_at"
            ELSE coalesce("last_daily"::timestamp AT TIME ZONE 'UTC', "updated_at")
        END AS "at"
        FROM "bytes_balances"
        WHERE "claim_key" IS NOT NULL AND "claim_details" IS NOT NULL
    ) AS claim
    ON CONFLICT ("guild_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL DO NOTHING
    """,
    """
    INSERT INTO "bytes_transactions" (
        "id", "guild_id", "giver_id", "giver_username", "receiver_id", "receiver_username",
        "amount", "reason", "created_at", "kind", "idempotency_key", "details"
    )
    SELECT
        (
            lpad(to_hex(
                floor(extract(epoch FROM member."joined_at") * 1000)::bigint & 281474976710655
            ), 12, '0') || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14)
        )::uuid,
        member."guild_id", member."user_id", '', 'SYSTEM', 'SYSTEM',
        0, squad."name", member."joined_at", 'squad', member."idempotency_key",
        jsonb_build_object('action', 'join', 'squad_id', member."squad_id"::text)
    FROM "squad_memberships" AS member
    JOIN "squads" AS squad
        ON squad."guild_id" = member."guild_id" AND squad."id" = member."squad_id"
    WHERE member."idempotency_key" IS NOT NULL
    ON CONFLICT ("guild_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL DO NOTHING
    """,
    """
    UPDATE "bytes_balances" AS member
    SET "last_transfer_at" = latest."created_at"
    FROM (
        SELECT "guild_id", "giver_id", max("created_at") AS "created_at"
        FROM "bytes_transactions"
        WHERE "kind" = 'transfer'
        GROUP BY "guild_id", "giver_id"
    ) AS latest
    WHERE member."guild_id" = latest."guild_id" AND member."user_id" = latest."giver_id"
    """,
    'ALTER TABLE "squad_memberships" DROP COLUMN "idempotency_key"',
    'ALTER TABLE "bytes_balances" DROP COLUMN "claim_key"',
    'ALTER TABLE "bytes_balances" DROP COLUMN "claim_details"',
    """
    COMMENT ON COLUMN "bytes_balances"."last_transfer_at" IS
        'When the member''s last transfer as giver happened, by the operation''s clock (UTC)'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."amount" IS
        'Whole bytes: at least 1, or 0 where the kind is starting, daily or squad'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."reason" IS 'Why, in the caller''s words'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."idempotency_key" IS
        'Identifies a request, so that repeating it changes nothing'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."details" IS
        'What else the operation answered, for repeated requests and for the history'
    """,
    """
    COMMENT ON TABLE "bytes_transactions" IS
        'The ledger: every act of a member, with the bytes that it moved'
    """,
]

POSTGRES_DOWN = [
    "SET LOCAL statement_timeout = 0",
    'ALTER TABLE "squad_memberships" ADD COLUMN "idempotency_key" VARCHAR(100) COLLATE "C"',
    'ALTER TABLE "bytes_balances" DROP COLUMN "last_transfer_at"',
    'ALTER TABLE "bytes_balances" ADD COLUMN "claim_key" VARCHAR(100) COLLATE "C"',
    'ALTER TABLE "bytes_balances" ADD COLUMN "claim_details" JSONB',
    """
    UPDATE "bytes_balances" AS member
    SET "claim_key" = claim."idempotency_key", "claim_details" = claim."details"
    FROM "bytes_transactions" AS claim
    WHERE claim."guild_id" = member."guild_id" AND claim."receiver_id" = member."user_id"
        AND claim."kind" = 'daily' AND claim."amount" = 0 AND claim."idempotency_key" IS NOT NULL
        AND claim."details" ->> 'claimed_on' = to_char(member."last_daily", 'YYYY-MM-DD')
    """,
    """
    UPDATE "squad_memberships" AS member
    SET "idempotency_key" = act."idempotency_key"
    FROM "bytes_transactions" AS act
    WHERE act."guild_id" = member."guild_id" AND act."giver_id" = member."user_id"
        AND act."kind" = 'squad' AND act."amount" = 0 AND act."idempotency_key" IS NOT NULL
        AND act."details" ->> 'action' <> 'leave'
        AND act."details" ->> 'squad_id' = member."squad_id"::text
        AND act."created_at" = member."joined_at"
    """,
    'DELETE FROM "bytes_transactions" WHERE "amount" = 0',
    """
    UPDATE "bytes_transactions"
    SET "details" = jsonb_set("details" - 'action', '{how}', "details" -> 'action')
    WHERE "kind" = 'squad' AND "details" ? 'action'
    """,
    'ALTER TABLE "bytes_transactions" DROP CONSTRAINT "ck_bytes_transactions_amount"',
    """
    ALTER TABLE "bytes_transactions"
        ADD CONSTRAINT "ck_bytes_transactions_amount" CHECK ("amount" >= 1)
    """,
    'DROP INDEX "uq_bytes_transactions_guild_id_idempotency_key"',
    """
    ALTER TABLE "bytes_transactions" ADD CONSTRAINT "uq_bytes_transactions_guild_id_idempotency_key"
        UNIQUE ("guild_id", "idempotency_key")
    """,
    """
    CREATE UNIQUE INDEX "uq_bytes_balances_guild_id_claim_key"
        ON "bytes_balances" ("guild_id", "claim_key") WHERE "claim_key" IS NOT NULL
    """,
    """
    ALTER TABLE "squad_memberships" ADD CONSTRAINT "uq_squad_memberships_guild_id_idempotency_key"
        UNIQUE ("guild_id", "idempotency_key")
    """,
    """
    COMMENT ON COLUMN "squad_memberships"."idempotency_key" IS
        'Idempotency key of a joining that was free (no ledger row)'
    """,
    """
    COMMENT ON COLUMN "bytes_balances"."claim_key" IS
        'Idempotency key of the last claim, if it paid nothing (no ledger row)'
    """,
    """
    COMMENT ON COLUMN "bytes_balances"."claim_details" IS 'What that claim answered'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."amount" IS 'Whole bytes, at least 1'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."reason" IS 'Why, in the words of whoever moved them'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."idempotency_key" IS
        'What makes a repeated order harmless'
    """,
    """
    COMMENT ON COLUMN "bytes_transactions"."details" IS
        'What else the operation answered, to answer a repeated order the same way'
    """,
    """
    COMMENT ON TABLE "bytes_transactions" IS 'The ledger: every movement of bytes'
    """,
]

# SQLite -------------------------------------------------------------------------------------------

_BALANCES = """
CREATE TABLE "{name}" (
    "guild_id" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "id" INTEGER NOT NULL CONSTRAINT "pk_bytes_balances" PRIMARY KEY AUTOINCREMENT,
    "user_id" VARCHAR(20) NOT NULL,
    "balance" BIGINT NOT NULL,
    "total_received" BIGINT NOT NULL,
    "total_sent" BIGINT NOT NULL,
    "last_daily" DATE,
    "streak_count" INT NOT NULL,
    {columns},
    CONSTRAINT "uq_bytes_balances_guild_id_user_id" UNIQUE ("guild_id", "user_id"),{unique}
    CONSTRAINT "ck_bytes_balances_balance" CHECK ("balance" >= 0),
    CONSTRAINT "ck_bytes_balances_total_received" CHECK ("total_received" >= 0),
    CONSTRAINT "ck_bytes_balances_total_sent" CHECK ("total_sent" >= 0),
    CONSTRAINT "ck_bytes_balances_streak_count" CHECK ("streak_count" >= 0),
    CONSTRAINT "ck_bytes_balances_identity" CHECK ("balance" = "total_received" - "total_sent"),
    CONSTRAINT "ck_bytes_balances_types" CHECK (
        typeof("balance") = 'integer' AND typeof("total_received") = 'integer'
        AND typeof("total_sent") = 'integer' AND typeof("streak_count") = 'integer'
    ),
    CONSTRAINT "ck_bytes_balances_lengths" CHECK (
        length("guild_id") <= 20 AND length("user_id") <= 20{lengths}
    )
)
"""
_BALANCES_INDEX = """
CREATE INDEX "ix_bytes_balances_leaderboard"
    ON "bytes_balances" ("guild_id", "balance" DESC, "user_id")
"""

_TRANSACTIONS = """
CREATE TABLE "{name}" (
    "guild_id" VARCHAR(20) NOT NULL,
    "id" CHAR(36) NOT NULL CONSTRAINT "pk_bytes_transactions" PRIMARY KEY,
    "giver_id" VARCHAR(20) NOT NULL,
    "giver_username" VARCHAR(100) NOT NULL,
    "receiver_id" VARCHAR(20) NOT NULL,
    "receiver_username" VARCHAR(100) NOT NULL,
    "amount" BIGINT NOT NULL,
    "reason" VARCHAR(200),
    "created_at" TIMESTAMP NOT NULL,
    "kind" VARCHAR(16) NOT NULL,
    "actor_id" VARCHAR(20),
    "idempotency_key" VARCHAR(100),
    "details" JSON,{unique}
    CONSTRAINT "ck_bytes_transactions_amount" CHECK ({amount}),
    CONSTRAINT "ck_bytes_transactions_parties" CHECK ("giver_id" <> "receiver_id"),
    CONSTRAINT "ck_bytes_transactions_kind"
        CHECK ("kind" IN ('transfer', 'starting', 'daily', 'grant', 'charge', 'squad')),
    CONSTRAINT "ck_bytes_transactions_types" CHECK (typeof("amount") = 'integer'),
    CONSTRAINT "ck_bytes_transactions_lengths" CHECK (
        length("guild_id") <= 20 AND length("giver_id") <= 20 AND length("receiver_id") <= 20
        AND length("giver_username") <= 100 AND length("receiver_username") <= 100
        AND length("reason") <= 200 AND length("actor_id") <= 20
        AND length("idempotency_key") <= 100
    )
)
"""
_TRANSACTIONS_INDEXES = [
    """
CREATE INDEX "ix_bytes_transactions_created_at"
    ON "bytes_transactions" ("guild_id", "created_at", "id")
    """,
    """
CREATE INDEX "ix_bytes_transactions_giver_id"
    ON "bytes_transactions" ("guild_id", "giver_id", "created_at", "id")
    """,
    """
CREATE INDEX "ix_bytes_transactions_receiver_id"
    ON "bytes_transactions" ("guild_id", "receiver_id", "created_at", "id")
    """,
    """
CREATE TRIGGER "tr_bytes_transactions_final"
    BEFORE UPDATE ON "bytes_transactions" FOR EACH ROW
    WHEN OLD."id" IS NOT NEW."id" OR OLD."guild_id" IS NOT NEW."guild_id"
        OR OLD."giver_id" IS NOT NEW."giver_id" OR OLD."receiver_id" IS NOT NEW."receiver_id"
        OR OLD."amount" IS NOT NEW."amount" OR OLD."kind" IS NOT NEW."kind"
        OR OLD."created_at" IS NOT NEW."created_at"
BEGIN
    SELECT RAISE(ABORT, 'tr_bytes_transactions_final: a row of bytes_transactions is final');
END
    """,
]

_MEMBERSHIPS = """
CREATE TABLE "{name}" (
    "guild_id" VARCHAR(20) NOT NULL,
    "id" INTEGER NOT NULL CONSTRAINT "pk_squad_memberships" PRIMARY KEY AUTOINCREMENT,
    "user_id" VARCHAR(20) NOT NULL,
    "joined_at" TIMESTAMP NOT NULL,{columns}
    "squad_id" CHAR(36) NOT NULL,
    CONSTRAINT "uq_squad_memberships_guild_id_user_id" UNIQUE ("guild_id", "user_id"),{unique}
    CONSTRAINT "ck_squad_memberships_lengths" CHECK (
        length("guild_id") <= 20 AND length("user_id") <= 20{lengths}
    ),
    -- With guild_id: a member's squad is of the member's own guild.
    CONSTRAINT "fk_squad_memberships_squad_id_squads" FOREIGN KEY ("squad_id", "guild_id")
        REFERENCES "squads" ("id", "guild_id") ON DELETE CASCADE
)
"""
_MEMBERSHIPS_INDEX = """
CREATE INDEX "ix_squad_memberships_squad_id"
    ON "squad_memberships" ("guild_id", "squad_id", "user_id")
"""

_MEMBER = (
    '"guild_id", "created_at", "updated_at", "id", "user_id", "balance", "total_received",'
    ' "total_sent", "last_daily", "streak_count"'
)
_ENTRY = (
    '"guild_id", "id", "giver_id", "giver_username", "receiver_id", "receiver_username", "amount",'
    ' "reason", "created_at", "kind", "actor_id", "idempotency_key", "details"'
)
_MEMBERSHIP = '"guild_id", "id", "user_id", "joined_at", "squad_id"'


def _copy(table: str, columns: str) -> str:
    return f'INSERT INTO "new_{table}" ({columns}) SELECT {columns} FROM "{table}"'


def _continue_sequence(table: str) -> str:
    """Return the statement by which surrogate keys go on from where they were."""
    return f"""
    INSERT INTO "sqlite_sequence" ("name", "seq")
        SELECT 'new_{table}', "seq" FROM "sqlite_sequence" WHERE "name" = '{table}'
    """


def _replace(table: str) -> list[str]:
    return [f'DROP TABLE "{table}"', f'ALTER TABLE "new_{table}" RENAME TO "{table}"']


def _copy_ledger(old: str, new: str) -> str:
    """Return the statement that copies the ledger and renames one of the details of its rows."""
    details = f"""CASE
        WHEN "kind" = 'squad' AND CASE
            WHEN json_valid("details") THEN json_type("details", '$.{old}') IS NOT NULL
        END
        THEN json_remove(
            json_set("details", '$.{new}', json_extract("details", '$.{old}')), '$.{old}'
        )
        ELSE "details"
    END"""
    source = _ENTRY.replace('"details"', details)
    return (
        f'INSERT INTO "new_bytes_transactions" ({_ENTRY}) SELECT {source} FROM "bytes_transactions"'
    )


def _uuid7(time: str) -> str:
    # Times are stored as UTC in ISO 8601; SQLite's own functions would round the milliseconds.
    seconds, fraction = f"strftime('%s', substr({time}, 1, 19))", f"substr({time}, 21, 3)"
    milliseconds = f"({seconds} * 1000 + CAST({fraction} AS INTEGER))"
    digits = f"printf('%012x', {milliseconds} & 281474976710655)"
    return f"""
        substr({digits}, 1, 8) || '-' || substr({digits}, 9, 4)
        || '-7' || substr(lower(hex(randomblob(2))), 1, 3)
        || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 1, 3)
        || '-' || lower(hex(randomblob(6)))
    """


SQLITE = [
    "BEGIN IMMEDIATE",
    # A second process fails here. SQLite takes a quoted name without a table for a text.
    'SELECT "member"."claim_key" FROM "bytes_balances" AS "member" LIMIT 0',
    _TRANSACTIONS.format(
        name="new_bytes_transactions",
        unique="",
        amount="""
        "amount" >= 1 OR ("amount" = 0 AND "kind" IN ('starting', 'daily', 'squad'))
    """,
    ),
    _copy_ledger("how", "action"),
    *_replace("bytes_transactions"),
    _UNIQUE_KEY,
    f"""
    INSERT INTO "bytes_transactions" ({_ENTRY})
    SELECT claim."guild_id", {_uuid7('claim."at"')}, 'SYSTEM', 'SYSTEM', claim."user_id", '',
        0, NULL, claim."at", 'daily', NULL, claim."claim_key", claim."claim_details"
    FROM (
        SELECT member.*, CASE
            WHEN substr(member."updated_at", 1, 10) = member."last_daily" THEN member."updated_at"
            ELSE coalesce(member."last_daily" || ' 00:00:00+00:00', member."updated_at")
        END AS "at"
        FROM "bytes_balances" AS member
        WHERE member."claim_key" IS NOT NULL AND member."claim_details" IS NOT NULL
    ) AS claim
    WHERE true
    ON CONFLICT ("guild_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL DO NOTHING
    """,
    f"""
    INSERT INTO "bytes_transactions" ({_ENTRY})
    SELECT member."guild_id", {_uuid7('member."joined_at"')}, member."user_id", '',
        'SYSTEM', 'SYSTEM', 0, squad."name", member."joined_at", 'squad', NULL,
        member."idempotency_key", json_object('action', 'join', 'squad_id', member."squad_id")
    FROM "squad_memberships" AS member
    JOIN "squads" AS squad
        ON squad."guild_id" = member."guild_id" AND squad."id" = member."squad_id"
    WHERE member."idempotency_key" IS NOT NULL
    ON CONFLICT ("guild_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL DO NOTHING
    """,
    *_TRANSACTIONS_INDEXES,
    _BALANCES.format(
        name="new_bytes_balances", columns='"last_transfer_at" TIMESTAMP', unique="", lengths=""
    ),
    _continue_sequence("bytes_balances"),
    _copy("bytes_balances", _MEMBER),
    """
    UPDATE "new_bytes_balances" SET "last_transfer_at" = (
        SELECT max(entry."created_at") FROM "bytes_transactions" AS entry
        WHERE entry."guild_id" = "new_bytes_balances"."guild_id"
            AND entry."giver_id" = "new_bytes_balances"."user_id" AND entry."kind" = 'transfer'
    )
    """,
    *_replace("bytes_balances"),
    _BALANCES_INDEX,
    _MEMBERSHIPS.format(name="new_squad_memberships", columns="", unique="", lengths=""),
    _continue_sequence("squad_memberships"),
    _copy("squad_memberships", _MEMBERSHIP),
    *_replace("squad_memberships"),
    _MEMBERSHIPS_INDEX,
]

SQLITE_DOWN = [
    "BEGIN IMMEDIATE",
    _BALANCES.format(
        name="new_bytes_balances",
        columns='"claim_key" VARCHAR(100),\n    "claim_details" JSON',
        unique="""
    CONSTRAINT "uq_bytes_balances_guild_id_claim_key" UNIQUE ("guild_id", "claim_key"),""",
        lengths=' AND length("claim_key") <= 100',
    ),
    _continue_sequence("bytes_balances"),
    _copy("bytes_balances", _MEMBER),
    """
    UPDATE "new_bytes_balances"
    SET "claim_key" = claim."idempotency_key", "claim_details" = claim."details"
    FROM "bytes_transactions" AS claim
    WHERE claim."guild_id" = "new_bytes_balances"."guild_id"
        AND claim."receiver_id" = "new_bytes_balances"."user_id"
        AND claim."kind" = 'daily' AND claim."amount" = 0 AND claim."idempotency_key" IS NOT NULL
        AND json_extract(claim."details", '$.claimed_on') = "new_bytes_balances"."last_daily"
    """,
    *_replace("bytes_balances"),
    _BALANCES_INDEX,
    _MEMBERSHIPS.format(
        name="new_squad_memberships",
        columns='\n    "idempotency_key" VARCHAR(100),',
        unique="""
    CONSTRAINT "uq_squad_memberships_guild_id_idempotency_key" UNIQUE ("guild_id", "idempotency_key"),""",
        lengths=' AND length("idempotency_key") <= 100',
    ),
    _continue_sequence("squad_memberships"),
    _copy("squad_memberships", _MEMBERSHIP),
    """
    UPDATE "new_squad_memberships" SET "idempotency_key" = act."idempotency_key"
    FROM "bytes_transactions" AS act
    WHERE act."guild_id" = "new_squad_memberships"."guild_id"
        AND act."giver_id" = "new_squad_memberships"."user_id"
        AND act."kind" = 'squad' AND act."amount" = 0 AND act."idempotency_key" IS NOT NULL
        AND json_extract(act."details", '$.action') <> 'leave'
        AND json_extract(act."details", '$.squad_id') = "new_squad_memberships"."squad_id"
        AND act."created_at" = "new_squad_memberships"."joined_at"
    """,
    *_replace("squad_memberships"),
    _MEMBERSHIPS_INDEX,
    _TRANSACTIONS.format(
        name="new_bytes_transactions",
        unique="""
    CONSTRAINT "uq_bytes_transactions_guild_id_idempotency_key" UNIQUE ("guild_id", "idempotency_key"),""",
        amount='"amount" >= 1',
    ),
    'DELETE FROM "bytes_transactions" WHERE "amount" = 0',
    _copy_ledger("action", "how"),
    *_replace("bytes_transactions"),
    *_TRANSACTIONS_INDEXES,
]


async def upgrade(db: BaseDBAsyncClient) -> str:
    return await _execute(db, postgres=POSTGRES, sqlite=SQLITE)


async def downgrade(db: BaseDBAsyncClient) -> str:
    return await _execute(db, postgres=POSTGRES_DOWN, sqlite=SQLITE_DOWN)


async def _execute(db: BaseDBAsyncClient, postgres: list[str], sqlite: list[str]) -> str:
    if db.capabilities.dialect == "sqlite":
        return ";\n".join(statement.strip() for statement in sqlite)
    async with db.acquire_connection() as connection:
        for statement in postgres:
            await connection.execute(statement, timeout=NO_TIMEOUT)
    return "SELECT 1"  # Aerich executes the text that it gets


MODELS_STATE = (
    "eJztXG1z27gR/isYfakzo3ocJ47TXKczsuM07sV2J1aa9i43FERCEmoSUAgoiibNf+8uQE"
    "rgm0z6RaEdfRNBLLjcB1jsPljxW2e40Ex56vOMBmr3CC+OaEiFzzqvyLeOoBH+WNOrSzp0"
    "Os33wWZNh6EjPLQC5hYdKh1TX8PdEQ0Vg6aAKT/mU82lQJmPE6oJo/6ERCwaspjIEaFkPO"
    "NhQCbUDBJIH0bhYrzsT9PO0KNLuCDziQwZMc/vEioCoics6fMnRQLKwwWBMRi92sURZ4J/"
    "njFPyzGDjjGM+/vvHfNMjwemg2Ix/vzjD7jgImBf4X2g17fOiLMwML8zAsOVlZay8Jt9nc"
    "ZMKXhXI4JNqaX5Vy9rLy9kNGDxUNLYDKkXU9OxY8YBM5qL7zjG9MozemSgs4qYdi+VPeLj"
    "U6HfmL5oyaHny3AWiVX/6UJPpFgKcKGxdcwEi6lm+AQdzxA3MQvDBOgUSmvGVRdrKEcmYC"
    "M6CxF9lLYKrNo6nnd+0fcuT/qe1ynOjMtZHMsxKEGu2CI/D5LxfDAsWAa0VsYWY9Tmz3/Z"
    "33/27HB/79mLlwfPDw8PXu69hL5G9eKtw+9Wr5Xh7FDGfKd/Pz3v47MlzGI7ybHhu5Ghmn"
    "qr6bACwp0XWTiOJzQuB8OVyUECL5iHJAVgHSZpwwqU1Qq8BSqvufJlHCQrdEcJOR+F9Io9"
    "qYlQRL/CRBdjPYHL/b01xv9X7/3x2977nf29J1kEzpM7++YWYrGyvQ9rHGzkUV20/mu4o3"
    "nEyhHISuYwCBLR3fRHixD5OGHC+LtYzsmcKhKBGyE7cxqGBFXtkg/947rwgBGCCxEukjW8"
    "Bp7+6dnJZb939k8cOVLqc2hs3Ouf4J1907rIte68yEG5HIR8PO2/JXhJfrs4PzEQSKXHsX"
    "niql//tw7qRGdaejD1PBo47iZtTS2bmRmzaXDDmZGVfKgzI6RKE39CxZgFP9fsSG3pTI9E"
    "e2d2JJt2A5ftiDwIj436ts9hO4FT/dDFEbo+frkr0+81Xn1OTCrYF7C+YBDP8C+sfdHMCh"
    "AtNQ29mPkMFG0YUhZl2wtPDxygAYcYaFyl2w2NYqJkC7sellTuwUCSKtxWOHBH9UxuWR5R"
    "lIORlVoXTdSAJQl87nsLgRCBoEaYnGM8YWIJm1X7IeVRPZTWGBxDgJx1bboOhpuVTffKuZ"
    "4Xa+9sf72yn0IOg2KYZtiMgC4KxMfaib//9Pnh85fPXjxfzvdly7ppXjGlYXyhRhDcNA+V"
    "y+TvIGDe0DRfxstL5shM9PR9CORWY/7F0E7TKWgcdMFdGQE5RfVhGJDxQ+lfkZ36YfXDDa"
    "NtloWM1OjKoUKwYUj9qzmNA69wR+7Lqr7FW9F+lG+hgo4N5mhN1LPIWR5LMeLjznpiM+nU"
    "rctr+qZ/TVrzBBlNw5HAjGAgKqMCh9Xp5Xvskl6EjkvlOM0q0jLHTlZSg+1gpO6FJWwlH1"
    "XNDW75qS0/teWntvxUU35KaRpreHfvRnxJmfTmAuOne7egTiAsFmyenvclWXqz6HjDaaHJ"
    "izwalScu62DKS24Solsh5KSCZArJCxmykYyZjaVhPD4NOYvbDFqSNg6lmCk7vbKwXZr7R/"
    "b22szTGSLvirmvyf9IyNW94dj562gmfASJZALeQEZg4N2ko9rN6vq3TkP0z5aYYgJkByM2"
    "imqWv67B7R+XF+cZ55yGWTtnvX/nI7DjdxdHea+LAxzlYMZoL03nmq3NvORG3WfT1fmOxm"
    "PmZq7ZdKLNC3FJHvhShoGcC28iZ3HJiqxmO6tHaC8Z9BZVBLep54whFWR4BkgM05f5QXxQ"
    "DHPGixkm5yUQ4AorxyAv92M9IaSGEP2AF4THNvZ1fSTPl8cDxWojbQuYYqEMgwc3dsAnmh"
    "88uD0DdGdusH0sTR/nNvUTQ6+jatye3bp8jV4J1SRt+khts2DM4lfmBGJBoLstSLPxZ5fM"
    "OWxxGNbY0MeAzzWJZMnRUadnEpuUM08GpsKMaiSNWDLUKJYRkYJBABXrBdESekokerpExs"
    "SXM1MQ94XtfhKfxGBwBZN/MCBcweMVTE+qpHhFBoPUYcC91JtY3dUv9hGX/7nsn5xBzzQp"
    "GAy6cGVCOBCiIsDhxzCMHgx+QT2WEpCdwb5iO+EAaPnBYJf0KkcDzZf9jDEiugC9Pgkwyl"
    "7CbRE0O4gwDUIKhdDgqzFQjMbMPAMDDfuEVVhpr03wCUmwBOU/Catgku2Y15hIxdKRXYUG"
    "AztF4HLnv5KLLlGAsT9B1UMG9n7ivq3H8YUr2LhsRSAPWDSVmgl/4WEBW+1SwizR06CQ0J"
    "3wXnaUilpCdPUVWpgN6E41ckdsrk/igO9Wpdygd1Fx+eHD6esG9ZazGQ92UeZ+CNVr8gEO"
    "P1GDw8a7IqrcJWA6tDY5vPU2Z3a0Z5ZgcXcvY5ptuWW76G3H9s7qqW17R+ZB2D5fOIVbg9"
    "0T2wQCamlaGkPhSrYaEAwU0sQIFSY0iaNSXrspFpBa1wADelWiYe7lcqbsplIXi5xYq4F4"
    "KCtjadObLI5S4VbDgusj1brVS+Qm5PiPoMVvdKa15AZeofEhh1CaPDVJ3B6ZQ6pgaXHM3z"
    "B7S/OmbkKiQzcTo7WZo7PZZrO1lErcaAFtrP5nYfgdxMenYWhW0VwmHFZzd1bPn61zaI/u"
    "/y3XJCTxLGRqFw9/PdSicVpiTpS53hZoVZYZoN9psnLT/q3e+FLSq5t3p11iiKwusdRVU+"
    "+a3Qlf1NkI89g6++CLwjboa9k0THRl2uxLK0PE+UQCDAHsgwGecyA8huA0ALUjbMxTdw3g"
    "KRFtM0qnAROaw8uZwwsGz1KwWJS0MWPMprBnABLoUm1pDkSVUk8QnLbEkglv3OR0yhG51c"
    "HUxsISPGGCgbI7GQGfN8dl1CUjGSdgwaJKYFSGt8Y7KDWBN5Jxzb9R/3THUZdmT6g8g7pM"
    "t4zrDp5WTTUOmxiNVNd++kBzwA1PfEjqNvH8sOQ8SYOQ84WEboVkvRMKc0hb8pGDLd9dRG"
    "vLd2/57keQfm3Lt7fl29vy7c2Xb6dbbQOX7Yg8CI9tS5/a5rCbkv4Phuc3gU1C8rcoF1vp"
    "2cDoObE2J8wmF9Op/ZHAp0M5q/s39QwCB7UQOFiDwEERAVu8BLZVDY9XcoKbO2M5uM1fDw"
    "xNgWVbSFKg7soctNiXwTZIjXirPyKAUyIp0CsCtrYa3ZG6EVobWjFvTdWfWKRliMgladgg"
    "lC2mhMVDQh5B4xzDCXxAI7jurNSZKw/Lwr6U/bVKwoyjoiLNdeVyQAxB8L7WTZr7NgvYkA"
    "lYIkCcKXSrbPbo4uJdJhI7Os1N/PMPZ0cnsJ8YXwaduHbWQwMuyFk4VvcJn5YsnKNE+M2v"
    "71lIKzaWIsdzthyzRbt9L9lrkjpihaf6Jj1uBNuqNY1PN0SrOTZdT7BljV+LavNyk6DO50"
    "a5P0kM6n51FOuoRYFwc3vTTFcsenavTeX2Eqf0A6ZJrBDBxnRP3x1Nq5Izwt3rSmELxvPc"
    "ce6iDHb74dHth0d/KmZw+wHBH2R4jP5vxLtlBB9zPczqi0bEvvO2KibP3rrbX93zLVfmLk"
    "+5Wh1G3uAsqxDd58xetPkbGTM+Fr+yhbH8KShS8dWK8mPaR2XxQuAOzTGdL+OwzDwE0wQs"
    "ZDa5Ou5dHvden9jI7UcdrfdYDDF0deif3K8R8dNVz+vC/BSsoo1v8RGtMu/wUGPcagPdC8"
    "tSHbImJ+pNwiZHpM1hU30TZwOkg4M6EdLBQXWIhPdyhYbTaRMLJ90foXXv5dQDnqhLv8lb"
    "XYHmiGz+0wj3aO1HXzn2/f+1wjJ2"
)
