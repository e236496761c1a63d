"""Reversals, time zones, grace days, a currency's name and emoji, members who left.

- A ledger row of kind "reversal" names the row that it takes back, reverses_id; no other row does.
  A row is taken back once: the pair of guild and reverses_id is unique. reverses_id is final like the
  parties and the amount.
- The leaderboard's index has only members who have not left.
- Guilds with a config get the defaults: UTC, no grace days, "bytes", no emoji. The columns have no
  defaults in the database, as the others have none.

No row of the ledger or of a balance changes, and no updated_at.

The downgrade is refused while the ledger has a reversal: the old tables have no kind for it, and its
bytes were taken out of the members' totals, which no older kind does. Restore a backup, or delete the
guild. It drops the dates on which members left, who are on the leaderboard again, and the settings of
the new columns. Dates of daily claims are then read as UTC dates: after a zone east of Greenwich a
member may have to wait some hours longer, after one west of it may claim some hours earlier.

PostgreSQL: a list of single statements, as in migration 3, whose trigger is made again with the new
column. On a distributed database a trigger needs citus.enable_unsafe_triggers; it is safe because it
looks only at its own row. A server without Citus ignores the setting. The check of kinds reads the
ledger once while it is locked.

SQLite: one script, as in migration 3. Constraints are part of CREATE TABLE, so the ledger and the
configs are built again.

Of processes that upgrade at the same time the later ones fail, at a column that is there already, and
find the migration applied.
"""

from tortoise import BaseDBAsyncClient
from tortoise.exceptions import OperationalError

RUN_IN_TRANSACTION = True

NO_TIMEOUT = 7 * 24 * 3600.0
"""Seconds that the driver waits for a statement; its default would end a long one."""

_UNIQUE_KEY = """
    CREATE UNIQUE INDEX "uq_bytes_transactions_guild_id_idempotency_key"
        ON "bytes_transactions" ("guild_id", "idempotency_key")
        WHERE "idempotency_key" IS NOT NULL
"""
_UNIQUE_REVERSAL = """
    CREATE UNIQUE INDEX "uq_bytes_transactions_guild_id_reverses_id"
        ON "bytes_transactions" ("guild_id", "reverses_id")
        WHERE "reverses_id" IS NOT NULL
"""
_LEADERBOARD = """
CREATE INDEX "ix_bytes_balances_leaderboard"
    ON "bytes_balances" ("guild_id", "balance" DESC, "user_id"){where}
"""
_HERE = ' WHERE "left_at" IS NULL'

# PostgreSQL ---------------------------------------------------------------------------------------


def _trigger(*more: str) -> str:
    """Return the statement that creates the ledger's trigger, with more columns that are final."""
    names = ("id", "guild_id", "giver_id", "receiver_id", "amount", "kind", "created_at", *more)
    old, new = (", ".join(f'{row}."{name}"' for name in names) for row in ("OLD", "NEW"))
    return f"""
    CREATE TRIGGER "tr_bytes_transactions_final"
        BEFORE UPDATE ON "bytes_transactions" FOR EACH ROW
        WHEN (ROW ({old}) IS DISTINCT FROM ROW ({new}))
        EXECUTE FUNCTION "bytes_transactions_are_final"()
    """


def _comment(table: str, column: str, text: str) -> str:
    quoted = text.replace("'", "''")
    return f"""COMMENT ON COLUMN "{table}"."{column}" IS '{quoted}'"""


_DROP_TRIGGER = 'DROP TRIGGER "tr_bytes_transactions_final" ON "bytes_transactions"'
_DROP_KIND = 'ALTER TABLE "bytes_transactions" DROP CONSTRAINT "ck_bytes_transactions_kind"'

POSTGRES = [
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL citus.enable_unsafe_triggers = on",
    # The first statement that a second process cannot repeat.
    'ALTER TABLE "bytes_balances" ADD COLUMN "left_at" TIMESTAMPTZ',
    'DROP INDEX "ix_bytes_balances_leaderboard"',
    _LEADERBOARD.format(where=_HERE),
    """
    ALTER TABLE "bytes_configs" ADD COLUMN "timezone" VARCHAR(64) NOT NULL DEFAULT 'UTC'
    """,
    'ALTER TABLE "bytes_configs" ALTER COLUMN "timezone" DROP DEFAULT',
    """
    ALTER TABLE "bytes_configs" ADD COLUMN "streak_grace_days" INT NOT NULL DEFAULT 0
    """,
    'ALTER TABLE "bytes_configs" ALTER COLUMN "streak_grace_days" DROP DEFAULT',
    """
    ALTER TABLE "bytes_configs" ADD CONSTRAINT "ck_bytes_configs_streak_grace_days"
        CHECK ("streak_grace_days" >= 0)
    """,
    """
    ALTER TABLE "bytes_configs" ADD COLUMN "currency_name" VARCHAR(32) NOT NULL DEFAULT 'bytes'
    """,
    'ALTER TABLE "bytes_configs" ALTER COLUMN "currency_name" DROP DEFAULT',
    'ALTER TABLE "bytes_configs" ADD COLUMN "currency_emoji" VARCHAR(64)',
    'ALTER TABLE "bytes_transactions" ADD COLUMN "reverses_id" UUID',
    _UNIQUE_REVERSAL,
    _DROP_KIND,
    """
    ALTER TABLE "bytes_transactions" ADD CONSTRAINT "ck_bytes_transactions_kind" CHECK (
        CASE WHEN "reverses_id" IS NULL
            THEN "kind" = ANY ('{transfer,starting,daily,grant,charge,squad}'::text[])
            ELSE "kind" = 'reversal'
        END
    )
    """,
    _DROP_TRIGGER,
    _trigger("reverses_id"),
    _comment(
        "bytes_balances", "last_daily", "Date of the last daily claim, in the guild's timezone"
    ),
    _comment(
        "bytes_balances",
        "left_at",
        "When the member left the Discord guild, by the operation's clock (UTC); null while there",
    ),
    _comment("bytes_configs", "timezone", "IANA time zone whose dates decide on daily claims"),
    _comment("bytes_configs", "streak_grace_days", "Days without a claim that do not end a streak"),
    _comment("bytes_configs", "currency_name", "What the guild calls its bytes"),
    _comment(
        "bytes_configs",
        "currency_emoji",
        "Emoji shown with amounts: Unicode, or Discord's <:name:id>",
    ),
    _comment(
        "bytes_transactions",
        "kind",
        "transfer, starting, daily, grant, charge, squad or reversal",
    ),
    _comment(
        "bytes_transactions",
        "reverses_id",
        "The row that a reversal takes back; null for other kinds",
    ),
]

POSTGRES_DOWN = [
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL citus.enable_unsafe_triggers = on",
    _DROP_KIND,
    """
    ALTER TABLE "bytes_transactions" ADD CONSTRAINT "ck_bytes_transactions_kind" CHECK (
        "kind" = ANY ('{transfer,starting,daily,grant,charge,squad}'::text[])
    )
    """,
    _DROP_TRIGGER,
    _trigger(),
    'DROP INDEX "uq_bytes_transactions_guild_id_reverses_id"',
    'ALTER TABLE "bytes_transactions" DROP COLUMN "reverses_id"',
    'ALTER TABLE "bytes_configs" DROP COLUMN "currency_emoji"',
    'ALTER TABLE "bytes_configs" DROP COLUMN "currency_name"',
    'ALTER TABLE "bytes_configs" DROP CONSTRAINT "ck_bytes_configs_streak_grace_days"',
    'ALTER TABLE "bytes_configs" DROP COLUMN "streak_grace_days"',
    'ALTER TABLE "bytes_configs" DROP COLUMN "timezone"',
    'DROP INDEX "ix_bytes_balances_leaderboard"',
    'ALTER TABLE "bytes_balances" DROP COLUMN "left_at"',
    _LEADERBOARD.format(where=""),
    _comment("bytes_balances", "last_daily", "UTC date of the last daily claim"),
    _comment(
        "bytes_transactions", "kind", "transfer, starting, daily, grant, charge or squad"
    ),
]

# SQLite -------------------------------------------------------------------------------------------

_CONFIGS = """
CREATE TABLE "new_bytes_configs" (
    "guild_id" VARCHAR(20) NOT NULL CONSTRAINT "pk_bytes_configs" PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "starting_balance" BIGINT NOT NULL,
    "daily_amount" BIGINT NOT NULL,
    "streak_bonuses" JSON NOT NULL,
    "max_transfer" BIGINT NOT NULL,
    "transfer_cooldown_hours" INT NOT NULL,
    "role_rewards" JSON NOT NULL,{columns}
    CONSTRAINT "ck_bytes_configs_starting_balance" CHECK ("starting_balance" >= 0),
    CONSTRAINT "ck_bytes_configs_daily_amount" CHECK ("daily_amount" >= 0),
    CONSTRAINT "ck_bytes_configs_max_transfer" CHECK ("max_transfer" >= 0),
    CONSTRAINT "ck_bytes_configs_transfer_cooldown_hours" CHECK ("transfer_cooldown_hours" >= 0),{check}
    CONSTRAINT "ck_bytes_configs_types" CHECK (
        typeof("starting_balance") = 'integer' AND typeof("daily_amount") = 'integer'
        AND typeof("max_transfer") = 'integer' AND typeof("transfer_cooldown_hours") = 'integer'{types}
    ),
    CONSTRAINT "ck_bytes_configs_lengths" CHECK ({lengths})
)
"""

_TRANSACTIONS = """
CREATE TABLE "new_bytes_transactions" (
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
    "details" JSON,{column}
    CONSTRAINT "ck_bytes_transactions_amount" CHECK (
        "amount" >= 1 OR ("amount" = 0 AND "kind" IN ('starting', 'daily', 'squad'))
    ),
    CONSTRAINT "ck_bytes_transactions_parties" CHECK ("giver_id" <> "receiver_id"),
    CONSTRAINT "ck_bytes_transactions_kind"
        CHECK ({kind}),
    CONSTRAINT "ck_bytes_transactions_types" CHECK (typeof("amount") = 'integer'),
    CONSTRAINT "ck_bytes_transactions_lengths" CHECK (
        length("guild_id") <= 20 AND length("giver_id") <= 20 AND length("receiver_id") <= 20
        AND length("giver_username") <= 100 AND length("receiver_username") <= 100
        AND length("reason") <= 200 AND length("actor_id") <= 20
        AND length("idempotency_key") <= 100
    )
)
"""
_KINDS = """"kind" IN ('transfer', 'starting', 'daily', 'grant', 'charge', 'squad')"""

_CREATED_AT_INDEX = """
CREATE INDEX "ix_bytes_transactions_created_at"
    ON "bytes_transactions" ("guild_id", "created_at", "id")
"""
_GIVER_INDEX = """
CREATE INDEX "ix_bytes_transactions_giver_id"
    ON "bytes_transactions" ("guild_id", "giver_id", "created_at", "id")
"""
_RECEIVER_INDEX = """
CREATE INDEX "ix_bytes_transactions_receiver_id"
    ON "bytes_transactions" ("guild_id", "receiver_id", "created_at", "id")
"""
_SQLITE_TRIGGER = """
CREATE TRIGGER "tr_bytes_transactions_final"
    BEFORE UPDATE ON "bytes_transactions" FOR EACH ROW
    WHEN OLD."id" IS NOT NEW."id" OR OLD."guild_id" IS NOT NEW."guild_id"
        OR OLD."giver_id" IS NOT NEW."giver_id" OR OLD."receiver_id" IS NOT NEW."receiver_id"
        OR OLD."amount" IS NOT NEW."amount" OR OLD."kind" IS NOT NEW."kind"
        OR OLD."created_at" IS NOT NEW."created_at"{column}
BEGIN
    SELECT RAISE(ABORT, 'tr_bytes_transactions_final: a row of bytes_transactions is final');
END
"""

_CONFIG = (
    '"guild_id", "created_at", "updated_at", "starting_balance", "daily_amount", "streak_bonuses",'
    ' "max_transfer", "transfer_cooldown_hours", "role_rewards"'
)
_SETTINGS = '"timezone", "streak_grace_days", "currency_name"'
_ENTRY = (
    '"guild_id", "id", "giver_id", "giver_username", "receiver_id", "receiver_username", "amount",'
    ' "reason", "created_at", "kind", "actor_id", "idempotency_key", "details"'
)


def _replace(table: str) -> list[str]:
    return [f'DROP TABLE "{table}"', f'ALTER TABLE "new_{table}" RENAME TO "{table}"']


def _copy_ledger() -> str:
    return (
        f'INSERT INTO "new_bytes_transactions" ({_ENTRY}) SELECT {_ENTRY} FROM "bytes_transactions"'
    )


def _ledger_indexes(*more: str, final: str = "") -> list[str]:
    return [
        _UNIQUE_KEY,
        *more,
        _CREATED_AT_INDEX,
        _GIVER_INDEX,
        _RECEIVER_INDEX,
        _SQLITE_TRIGGER.format(column=final),
    ]


SQLITE = [
    "BEGIN IMMEDIATE",
    # A second process fails here.
    'ALTER TABLE "bytes_balances" ADD COLUMN "left_at" TIMESTAMP',
    'DROP INDEX "ix_bytes_balances_leaderboard"',
    _LEADERBOARD.format(where=_HERE),
    _CONFIGS.format(
        columns="""
    "timezone" VARCHAR(64) NOT NULL,
    "streak_grace_days" INT NOT NULL,
    "currency_name" VARCHAR(32) NOT NULL,
    "currency_emoji" VARCHAR(64),""",
        check="""
    CONSTRAINT "ck_bytes_configs_streak_grace_days" CHECK ("streak_grace_days" >= 0),""",
        types="""
        AND typeof("streak_grace_days") = 'integer'""",
        lengths="""
        length("guild_id") <= 20 AND length("timezone") <= 64
        AND length("currency_name") <= 32 AND length("currency_emoji") <= 64
    """,
    ),
    f"""
    INSERT INTO "new_bytes_configs" ({_CONFIG}, {_SETTINGS})
        SELECT {_CONFIG}, 'UTC', 0, 'bytes' FROM "bytes_configs"
    """,
    *_replace("bytes_configs"),
    _TRANSACTIONS.format(
        column="""
    "reverses_id" CHAR(36),""",
        kind=f"""
            CASE WHEN "reverses_id" IS NULL
                THEN {_KINDS}
                ELSE "kind" = 'reversal'
            END
        """,
    ),
    _copy_ledger(),
    *_replace("bytes_transactions"),
    *_ledger_indexes(
        _UNIQUE_REVERSAL,
        final="""
        OR OLD."reverses_id" IS NOT NEW."reverses_id\"""",
    ),
]

SQLITE_DOWN = [
    "BEGIN IMMEDIATE",
    _TRANSACTIONS.format(column="", kind=_KINDS),
    _copy_ledger(),
    *_replace("bytes_transactions"),
    *_ledger_indexes(),
    _CONFIGS.format(columns="", check="", types="", lengths='length("guild_id") <= 20'),
    f'INSERT INTO "new_bytes_configs" ({_CONFIG}) SELECT {_CONFIG} FROM "bytes_configs"',
    *_replace("bytes_configs"),
    'DROP INDEX "ix_bytes_balances_leaderboard"',
    'ALTER TABLE "bytes_balances" DROP COLUMN "left_at"',
    _LEADERBOARD.format(where=""),
]


async def upgrade(db: BaseDBAsyncClient) -> str:
    return await _execute(db, postgres=POSTGRES, sqlite=SQLITE)


async def downgrade(db: BaseDBAsyncClient) -> str:
    # One that is inserted after this look fails the check of kinds, and the downgrade with it.
    _, rows = await db.execute_query(
        "SELECT count(*) AS reversals FROM bytes_transactions WHERE kind = 'reversal'"
    )
    if rows[0]["reversals"]:
        raise OperationalError(
            f"the ledger has {rows[0]['reversals']} reversals, which the tables before this "
            "migration cannot hold; nothing was changed"
        )
    return await _execute(db, postgres=POSTGRES_DOWN, sqlite=SQLITE_DOWN)


async def _execute(db: BaseDBAsyncClient, postgres: list[str], sqlite: list[str]) -> str:
    if db.capabilities.dialect == "sqlite":
        return ";\n".join(statement.strip() for statement in sqlite)
    async with db.acquire_connection() as connection:
        for statement in postgres:
            await connection.execute(statement, timeout=NO_TIMEOUT)
    return "SELECT 1"  # Aerich executes the text that it gets


MODELS_STATE = (
    "eJztXW1z27gR/isYfakzo3ocv6bOzc3IL2nci+1OrDTtXW4oiIQknClAIagoapr/3l2ApM"
    "A3mbRsmc7pS8YCseByH7zsPrtkvrX685ApR32eUk9tn+CPE+pT4bLWMfnWEnSMfyzp1SYt"
    "Oplk+2BzSPu+Jdw3AvoS7aswoG4IVwfUVwyaPKbcgE9CLgXKfBzRkDDqjsiYjfssIHJAKB"
    "lOue+REdWDeNKFUbgYYv9O1O8vikQ3IlR4JJQhjE+4ILOR9BnRqrTNpREjHuX+nMAojN5u"
    "45hTwT9PmRPKIYPrAYz8228tfVeHe7qDYgH++fvv8IMLj32FJ4Je31oDznxP/50S6C/slM"
    "jC3+zrJGBKwdNqEWyKbc2/OmmLOT6jHgv6kgZ6yHA+0R1behwwpP7xHceY3DpajxR4RhHd"
    "7sSyJ3x4IcI3ui/asu+40p+OxaL/ZB6OpEgEuAixdcgEC2jI8A5hMEXkxNT3I6hjMI0ZF1"
    "2MoSwZjw3o1Ef8UdoosGhrOc7Vdde5Oe86Tis/N26mQSCHoAS5ZfPsTIjGc8GwYBnQWmlb"
    "DFGbv/5td3dv72h3Z+/w1cH+0dHBq51X0Fernr909N3otTCcGUqb7+LvF1ddvLeEeWymOT"
    "Z81zI0pM5iOiyAsOdFGo7TEQ2KwbBlMpDAA2YhiQFYhkncsABlsQZXQOWMK1cGXrRGt5SQ"
    "s4FPb9mLigiN6VeY6GIYjuDn7s4S4/+r8/70bef91u7OizQCV9GVXX0JsVjY3oU1DjZyaJ"
    "i3/hlcCfmYFSOQlsxg4EWi2/EfDULk44gJvc0FckZmVJExbCNka0Z9n6CqbfKhe1oVHjCC"
    "dy38ebSGl8DTvbg8v+l2Lv+JI4+V+uxrG3e653hlV7fOM61bhxkok0HIx4vuW4I/ya/XV+"
    "caAqnCYaDvuOjX/bWFOtFpKB2Yeg71rO0mbo0tm5oZ04l3z5mRlnyuM8OnKiTuiIoh8/5c"
    "syO2pTU9Iu2t2REd2jW2bEvkWezYqG/zNmzLcaruulhCd/svD2X6ndqrz3JFBfsC1hcM/B"
    "n+hTXPm1kAon1pJ2AuA0VrupR52ebC04ENUINDNDS20s2GRjFRcITdDUss92wgiRVuKhx4"
    "ojo6tiz2KIrBSEst8yYqwBI5Po9+hGAUBqE5+hLajzARtetTPm5j2I0XdEQAgTnq/18pKm"
    "5yS1BAvyBjchPDgzWnRWugdAFkxZq7BM4WhtV8BkXfTZvYo/McH7J0Ney+3D/af7V3uJ8s"
    "gqRl2dwvmecwvlAD8Hjq+89F8g/gRa9p7idOdMI86RUQPw+BgGvIcbsa0ckENPbasIdpAT"
    "lB9WEYkHF96d6Sreq+9vP1rfOhl88G4X3mzULs2U4Xgg+hf6eIk7vmyGt9azIbcXAhkaJc"
    "fTd9FrMGyc3BrcWqYUOfurczGnhO7orclWV985fGu+NsCxV0qKFHa6KeeQL8VIoBH7aWs+"
    "RRp3ZVktzV/Sty5OdIj8eHKwNROc7Roa1O0kOxMIRGtU06YzzvsrR4GQGeYbpLaeZmsJuP"
    "wjg3ktss55k3XOeG69xwnRuusy7XqUIa4BHh3It7K5JeXzz1cmcFGg6iKcFmsWcWMT71gq"
    "o1Uww6znbouDjeXQZTVnKdEK2EkEUtkAnEvKTPBjJgxqeG8fjE5yxoMmgR29CXYqrM9ErD"
    "dqOvn5jLSwkLa4jsVszdkPyP+Fw9Go6tnwZT4SJIJOXxenIMBt6OOqrttK4/t2qif5lgij"
    "GRGYwYL6oe7bEEt3/cXF+lNufYzdq67Pw764Gdvrs+ye66OMBJBmb09mIWoN7azEqudfus"
    "uzrf0WDIbMIjHU40eSEmnJMrpe/JmXBGchoUrMhy5rx8hOZyiG9RRdg2wxljyCBqegqJ2e"
    "hhnohGDGDOOAHD6LwAAlxhxRhk5Z52J4TQELwf2AXhtrX3ui4mYpJUUztXsBaacrhAKE38"
    "woUt2BP1H9xbnTh8lG3Qpvur8gG2zPpy5y3w/usidtG56ujYgaC+iJbCekJ0VTzmcgg+pb"
    "BdlqprK0UVHO5XoAoO90upArxU6IIMoTNz4iO0XrIkLdvc3e4MfcQZB/WmIawa4zjqheRJ"
    "IiSsJ+FBu3mqp9n53GkQMOHOHd1QY53kBNe4WBaney1XnoaLZCBxIfJWhIeqlq+QWht7ux"
    "XWxt5u6drASyVosLH8g98LjkTyXnisKRNxjkoSNQKvRa8PYoJBdUw+CO5KD24ggzgtAe7B"
    "T8dooWPu/fx0e1jz+P8uOk3UjYy6LAlg92xXzQSEC6GK6YAu5uCZN2TBsS6TmBPoburmDb"
    "HRNmjjKjQxtd4MeUjGsqC+pdXRjFmc3I8GpoIYpYywloydFJg0rpzqAv0voN8gkOMoAxrK"
    "2LcJtj+JT6LXu4U53esRrgiennJwTHq92A2F9thHNYqr12awm//cdM8voWdMNfV6bfilT1"
    "kQosLDoeF8EmGv9xrvmki4I4xWTCccAM3e622TDvwI0FqK+nA1pLcM3yBwbxPKML4OmHAQ"
    "aX8SUrjs2GiEO1j8ZHg//K0f2YxcrCfYKdFA32JM59pmZOeTMKkYgmCCBAtBRqEMwrgYAq"
    "VowPQt8PgyN1iwIOa3PvIYTHmwyidhnjwi57R9tM8SjWzr0+sZjOHn1h+SizZRMHPcEWru"
    "M1D0hW1GbZZqb0+AWzSeyFBvlVi7D2st3cEydfVXLNJJixovWNhrzEmPUvKOBR4XJVpo2B"
    "9UI3vE+vrE0/JBVcoM+hBvonz4cHFW4z2U6ZR72yjzOMnBO7gtDn+iBke1IzxUuU1wduPY"
    "RyuHbMa9MckCOxLTptm8htKsVK1le2v1VLa9JfMsbJ8tKMdzw5zETQIBtawbd+UlGw0Ieh"
    "ExyYcKEx2E4T9RjrYuFi93qoABvUrR0Ncy/F/6UKmKRUas0UA8l5WR2PQ+i6NQuNGw4PqI"
    "tW70ErlPovcpUrz3qs9IeO5jND4EGCokL3U4uUNmWOKoYzGMGDFejGOqdsSuQjftozU53w"
    "S+tzLBf/W1FEs0mUn6OJonVf5I6elVNJNRPqb+dlZtP1u2of1w7/3eEZAEU5+pbSxkclCL"
    "2mGJro7i4aZGvbRkDvedOis37t/ogy+m2trZ7bRNNH3WJoYwa5u9FTfZmCW715l4WOVIzK"
    "JsnYiHuQPRDWVdh9GWafKuWuoszkYSkPDgRMTElQZKk64aqmY4kFmGrwY8BaJNRunCYyLk"
    "8HA6Jc/gXgqWjZLGewzYBE4PQAI3V1NwqjDpOEJwmuJVRvRyHqTymgtLZKVyi7U5KFg3AQ"
    "OlzzQCu98Ml1GbDPTWNtFHfQyj0vQ2XkGpETyRDCp+aGbdRRY2YZ6DsZxazYitwLGuCchu"
    "lI3Ri4smh5GVsInejELUJGYfdMCweoXgHTxro/KSNzoOKk1G3sRh0l0ZyEVThawjo2PVNp"
    "/qCjnDT24BPvERhhVKBYnFEITsL3qZLHRKqlpCSZeAFeSKNhmIPFKbDMQmA/EDBMSbl8M2"
    "L4dtXg5b/8th8VFbY8u2RJ7Fjm0Kq5u2YddNwzybzIt2bKK0S4Ni4oWeNYyeEWsycZGU4h"
    "pqj0O025fTqh9USiFwUAmBgyUIHOQRMLVmYFtVM+GVEVxf1utglRcbdUSLVXZIFqHuppLS"
    "PAy26bLCJme3cEpEhZp5wJa+62ZJ3QutNa2Yt7pGU8zjclTk9DTx0E7eL/D5GBpn6E7gDW"
    "rB9WCvE3DlYKHel6IXtyXMOCpKwlxbLgNEHwQfa93EsW89h02TOzECxJpCK0WzJ9fX71Ke"
    "2MlFZuJffbg8OYfzRO9l0ImH1nqowQNZC8foPuKTgoVzEgm/+eU982nJwZLndy6TMRt02n"
    "fiNJIpJldYZ6HD41qwLVpj/3RNlJpl0+XkWtr4lWg2JzMJqnwan7ujyKD2F/I5ftCngGxL"
    "Pk+mRbAw3RYguoofAh+sw09Qioi5R/omflw2nhJu31WOnDOXY4/zEKXIm4/ibz6K/6fiAj"
    "cft34iw6O/fy+mLSX4I9ckWV9KNM+8qUzK8rX28Vc1o2XLPGReq9GO40PkdTNmz9v8jQwY"
    "H4pf2Fxb/gIUKfkKVnFS9oeyeM5Vh+aAzhI/LDUPwTQe85kJp047N6eds3PjuT1VIr3DAv"
    "Cxy5396HoFH58uet7l2Mdg5W28wkc5i3aH5+rjlhvoUXiVcpc1yqHXcZsskSa7TdVNnHaQ"
    "Dg6qeEgHB+UuEl7LlHhOJnUsHHX/Aa37KHkOuGNY+P9FlNf+WSLr/9TSI1p7HTV7T1on9v"
    "3/jSWkBw=="
)
