"""The five tables, their constraints and indexes.

Aerich generated the tables; names, checks and composite keys are written by hand, because Aerich
knows none of them. It compares the models with MODELS_STATE below and not with the database, so
it will not see them as changes either.

One history serves both databases: `upgrade` and `downgrade` ask the connection for its dialect.

- Constraint names: pk_ uq_ ix_ fk_ ck_, the table, then the columns or the rule.
- PostgreSQL: every key includes guild_id, so the tables can be hash-partitioned by it as they are.
- SQLite: an autoincrementing key is one column. squads has a second key (id, guild_id), so that
  there, too, a membership's foreign key can hold squad and member to the same guild.
- SQLite does not enforce the length of VARCHAR(n) nor the type of BIGINT, and turns a sum that
  passes 2**63 into a float: checks do what the types do on PostgreSQL.
- SQLite: the script begins a transaction of its own, which Aerich then commits. Python's
  executescript() would otherwise commit statement by statement, and a migration that fails half
  way would stay half applied.
- The table "aerich" is Aerich's own: made here when it is missing, and left by the downgrade.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


POSTGRES = """
CREATE TABLE "bytes_balances" (
    "guild_id" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "user_id" VARCHAR(20) NOT NULL,
    "balance" BIGINT NOT NULL,
    "total_received" BIGINT NOT NULL,
    "total_sent" BIGINT NOT NULL,
    "last_daily" DATE,
    "streak_count" INT NOT NULL,
    "claim_key" VARCHAR(100),
    "claim_details" JSONB,
    CONSTRAINT "pk_bytes_balances" PRIMARY KEY ("id", "guild_id"),
    CONSTRAINT "uq_bytes_balances_guild_id_user_id" UNIQUE ("guild_id", "user_id"),
    CONSTRAINT "uq_bytes_balances_guild_id_claim_key" UNIQUE ("guild_id", "claim_key"),
    CONSTRAINT "ck_bytes_balances_balance" CHECK ("balance" >= 0),
    CONSTRAINT "ck_bytes_balances_total_received" CHECK ("total_received" >= 0),
    CONSTRAINT "ck_bytes_balances_total_sent" CHECK ("total_sent" >= 0),
    CONSTRAINT "ck_bytes_balances_streak_count" CHECK ("streak_count" >= 0),
    CONSTRAINT "ck_bytes_balances_identity" CHECK ("balance" = "total_received" - "total_sent")
);
-- Descending, as the leaderboard reads it: the top ten are the first ten entries.
CREATE INDEX "ix_bytes_balances_leaderboard"
    ON "bytes_balances" ("guild_id", "balance" DESC, "user_id");

CREATE TABLE "bytes_configs" (
    "guild_id" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "starting_balance" BIGINT NOT NULL,
    "daily_amount" BIGINT NOT NULL,
    "streak_bonuses" JSONB NOT NULL,
    "max_transfer" BIGINT NOT NULL,
    "transfer_cooldown_hours" INT NOT NULL,
    "role_rewards" JSONB NOT NULL,
    CONSTRAINT "pk_bytes_configs" PRIMARY KEY ("guild_id"),
    CONSTRAINT "ck_bytes_configs_starting_balance" CHECK ("starting_balance" >= 0),
    CONSTRAINT "ck_bytes_configs_daily_amount" CHECK ("daily_amount" >= 0),
    CONSTRAINT "ck_bytes_configs_max_transfer" CHECK ("max_transfer" >= 0),
    CONSTRAINT "ck_bytes_configs_transfer_cooldown_hours" CHECK ("transfer_cooldown_hours" >= 0)
);

CREATE TABLE "bytes_transactions" (
    "guild_id" VARCHAR(20) NOT NULL,
    "id" UUID NOT NULL,
    "giver_id" VARCHAR(20) NOT NULL,
    "giver_username" VARCHAR(100) NOT NULL,
    "receiver_id" VARCHAR(20) NOT NULL,
    "receiver_username" VARCHAR(100) NOT NULL,
    "amount" BIGINT NOT NULL,
    "reason" VARCHAR(200),
    "created_at" TIMESTAMPTZ NOT NULL,
    "kind" VARCHAR(16) NOT NULL,
    "actor_id" VARCHAR(20),
    "idempotency_key" VARCHAR(100),
    "details" JSONB,
    CONSTRAINT "pk_bytes_transactions" PRIMARY KEY ("id", "guild_id"),
    -- Nulls are distinct: rows without a key are not limited.
    CONSTRAINT "uq_bytes_transactions_guild_id_idempotency_key" UNIQUE ("guild_id", "idempotency_key"),
    CONSTRAINT "ck_bytes_transactions_amount" CHECK ("amount" >= 1),
    CONSTRAINT "ck_bytes_transactions_parties" CHECK ("giver_id" <> "receiver_id"),
    CONSTRAINT "ck_bytes_transactions_kind"
        CHECK ("kind" IN ('transfer', 'starting', 'daily', 'grant', 'charge', 'squad'))
);
CREATE INDEX "ix_bytes_transactions_created_at"
    ON "bytes_transactions" ("guild_id", "created_at", "id");
CREATE INDEX "ix_bytes_transactions_giver_id"
    ON "bytes_transactions" ("guild_id", "giver_id", "created_at", "id");
CREATE INDEX "ix_bytes_transactions_receiver_id"
    ON "bytes_transactions" ("guild_id", "receiver_id", "created_at", "id");

CREATE TABLE "squads" (
    "guild_id" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "id" UUID NOT NULL,
    "role_id" VARCHAR(20) NOT NULL,
    "name" VARCHAR(100) NOT NULL,
    "description" VARCHAR(500),
    "switch_cost" BIGINT NOT NULL,
    "max_members" INT,
    "is_active" BOOL NOT NULL,
    CONSTRAINT "pk_squads" PRIMARY KEY ("id", "guild_id"),
    CONSTRAINT "uq_squads_guild_id_role_id" UNIQUE ("guild_id", "role_id"),
    CONSTRAINT "ck_squads_switch_cost" CHECK ("switch_cost" >= 0),
    CONSTRAINT "ck_squads_max_members" CHECK ("max_members" >= 1)
);

CREATE TABLE "squad_memberships" (
    "guild_id" VARCHAR(20) NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "user_id" VARCHAR(20) NOT NULL,
    "joined_at" TIMESTAMPTZ NOT NULL,
    "idempotency_key" VARCHAR(100),
    "squad_id" UUID NOT NULL,
    CONSTRAINT "pk_squad_memberships" PRIMARY KEY ("id", "guild_id"),
    CONSTRAINT "uq_squad_memberships_guild_id_user_id" UNIQUE ("guild_id", "user_id"),
    CONSTRAINT "uq_squad_memberships_guild_id_idempotency_key" UNIQUE ("guild_id", "idempotency_key"),
    -- With guild_id: a member's squad is of the member's own guild.
    CONSTRAINT "fk_squad_memberships_squad_id_squads" FOREIGN KEY ("squad_id", "guild_id")
        REFERENCES "squads" ("id", "guild_id") ON DELETE CASCADE
);
-- Counts a squad's members, and finds them when the squad is deleted.
CREATE INDEX "ix_squad_memberships_squad_id"
    ON "squad_memberships" ("guild_id", "squad_id", "user_id");

CREATE TABLE IF NOT EXISTS "aerich" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSONB NOT NULL
);

COMMENT ON COLUMN "bytes_balances"."guild_id" IS 'Discord guild (snowflake)';
COMMENT ON COLUMN "bytes_balances"."created_at" IS 'When the row was made (wall time, UTC)';
COMMENT ON COLUMN "bytes_balances"."updated_at" IS 'When the row last changed (wall time, UTC)';
COMMENT ON COLUMN "bytes_balances"."id" IS 'Surrogate key';
COMMENT ON COLUMN "bytes_balances"."user_id" IS 'Discord user (snowflake)';
COMMENT ON COLUMN "bytes_balances"."balance" IS 'Whole bytes, never negative';
COMMENT ON COLUMN "bytes_balances"."total_received" IS 'All bytes ever received';
COMMENT ON COLUMN "bytes_balances"."total_sent" IS 'All bytes ever sent';
COMMENT ON COLUMN "bytes_balances"."last_daily" IS 'UTC date of the last daily claim';
COMMENT ON COLUMN "bytes_balances"."streak_count" IS 'Daily claims in a row, in days';
COMMENT ON COLUMN "bytes_balances"."claim_key" IS 'Idempotency key of the last claim, if it paid nothing (no ledger row)';
COMMENT ON COLUMN "bytes_balances"."claim_details" IS 'What that claim answered';
COMMENT ON TABLE "bytes_balances" IS 'What each member of a guild has';
COMMENT ON COLUMN "bytes_configs"."guild_id" IS 'Discord guild (snowflake)';
COMMENT ON COLUMN "bytes_configs"."created_at" IS 'When the row was made (wall time, UTC)';
COMMENT ON COLUMN "bytes_configs"."updated_at" IS 'When the row last changed (wall time, UTC)';
COMMENT ON COLUMN "bytes_configs"."starting_balance" IS 'Whole bytes a new member receives';
COMMENT ON COLUMN "bytes_configs"."daily_amount" IS 'Whole bytes a daily claim pays before the multiplier';
COMMENT ON COLUMN "bytes_configs"."streak_bonuses" IS 'Multiplier by streak length in days';
COMMENT ON COLUMN "bytes_configs"."max_transfer" IS 'Largest transfer in whole bytes';
COMMENT ON COLUMN "bytes_configs"."transfer_cooldown_hours" IS 'Hours between a giver''s transfers';
COMMENT ON COLUMN "bytes_configs"."role_rewards" IS 'Total received, in whole bytes, that earns a role (by role id)';
COMMENT ON TABLE "bytes_configs" IS 'Each guild''s economy';
COMMENT ON COLUMN "bytes_transactions"."guild_id" IS 'Discord guild (snowflake)';
COMMENT ON COLUMN "bytes_transactions"."id" IS 'UUID, version 7';
COMMENT ON COLUMN "bytes_transactions"."giver_id" IS 'Discord user (snowflake) or SYSTEM';
COMMENT ON COLUMN "bytes_transactions"."giver_username" IS 'The giver''s name at that time';
COMMENT ON COLUMN "bytes_transactions"."receiver_id" IS 'Discord user (snowflake) or SYSTEM';
COMMENT ON COLUMN "bytes_transactions"."receiver_username" IS 'The receiver''s name at that time';
COMMENT ON COLUMN "bytes_transactions"."amount" IS 'Whole bytes, at least 1';
COMMENT ON COLUMN "bytes_transactions"."reason" IS 'Why, in the words of whoever moved them';
COMMENT ON COLUMN "bytes_transactions"."created_at" IS 'When it happened, by the operation''s clock (UTC)';
COMMENT ON COLUMN "bytes_transactions"."kind" IS 'transfer, starting, daily, grant, charge or squad';
COMMENT ON COLUMN "bytes_transactions"."actor_id" IS 'Discord user (snowflake) who ordered a grant or charge';
COMMENT ON COLUMN "bytes_transactions"."idempotency_key" IS 'What makes a repeated order harmless';
COMMENT ON COLUMN "bytes_transactions"."details" IS 'What else the operation answered, to answer a repeated order the same way';
COMMENT ON TABLE "bytes_transactions" IS 'The ledger: every movement of bytes';
COMMENT ON COLUMN "squads"."guild_id" IS 'Discord guild (snowflake)';
COMMENT ON COLUMN "squads"."created_at" IS 'When the row was made (wall time, UTC)';
COMMENT ON COLUMN "squads"."updated_at" IS 'When the row last changed (wall time, UTC)';
COMMENT ON COLUMN "squads"."id" IS 'UUID, version 7';
COMMENT ON COLUMN "squads"."role_id" IS 'Discord role (snowflake)';
COMMENT ON COLUMN "squads"."name" IS 'The squad''s name';
COMMENT ON COLUMN "squads"."description" IS 'What the squad is about';
COMMENT ON COLUMN "squads"."switch_cost" IS 'Whole bytes that joining costs, or switching to it';
COMMENT ON COLUMN "squads"."max_members" IS 'How many members it takes, without limit when null';
COMMENT ON COLUMN "squads"."is_active" IS 'Whether it takes members';
COMMENT ON TABLE "squads" IS 'Teams, each tied to a Discord role';
COMMENT ON COLUMN "squad_memberships"."guild_id" IS 'Discord guild (snowflake)';
COMMENT ON COLUMN "squad_memberships"."id" IS 'Surrogate key';
COMMENT ON COLUMN "squad_memberships"."user_id" IS 'Discord user (snowflake)';
COMMENT ON COLUMN "squad_memberships"."joined_at" IS 'When the member joined, by the operation''s clock (UTC)';
COMMENT ON COLUMN "squad_memberships"."idempotency_key" IS 'Idempotency key of a joining that was free (no ledger row)';
COMMENT ON COLUMN "squad_memberships"."squad_id" IS 'A squad of the same guild';
COMMENT ON TABLE "squad_memberships" IS 'Which squad each member is in';
"""


SQLITE = """
BEGIN IMMEDIATE;

CREATE TABLE "bytes_balances" (
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
    "claim_key" VARCHAR(100),
    "claim_details" JSON,
    CONSTRAINT "uq_bytes_balances_guild_id_user_id" UNIQUE ("guild_id", "user_id"),
    CONSTRAINT "uq_bytes_balances_guild_id_claim_key" UNIQUE ("guild_id", "claim_key"),
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
        length("guild_id") <= 20 AND length("user_id") <= 20 AND length("claim_key") <= 100
    )
);
-- Descending, as the leaderboard reads it: the top ten are the first ten entries.
CREATE INDEX "ix_bytes_balances_leaderboard"
    ON "bytes_balances" ("guild_id", "balance" DESC, "user_id");

CREATE TABLE "bytes_configs" (
    "guild_id" VARCHAR(20) NOT NULL CONSTRAINT "pk_bytes_configs" PRIMARY KEY,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "starting_balance" BIGINT NOT NULL,
    "daily_amount" BIGINT NOT NULL,
    "streak_bonuses" JSON NOT NULL,
    "max_transfer" BIGINT NOT NULL,
    "transfer_cooldown_hours" INT NOT NULL,
    "role_rewards" JSON NOT NULL,
    CONSTRAINT "ck_bytes_configs_starting_balance" CHECK ("starting_balance" >= 0),
    CONSTRAINT "ck_bytes_configs_daily_amount" CHECK ("daily_amount" >= 0),
    CONSTRAINT "ck_bytes_configs_max_transfer" CHECK ("max_transfer" >= 0),
    CONSTRAINT "ck_bytes_configs_transfer_cooldown_hours" CHECK ("transfer_cooldown_hours" >= 0),
    CONSTRAINT "ck_bytes_configs_types" CHECK (
        typeof("starting_balance") = 'integer' AND typeof("daily_amount") = 'integer'
        AND typeof("max_transfer") = 'integer' AND typeof("transfer_cooldown_hours") = 'integer'
    ),
    CONSTRAINT "ck_bytes_configs_lengths" CHECK (length("guild_id") <= 20)
);

CREATE TABLE "bytes_transactions" (
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
    "details" JSON,
    CONSTRAINT "uq_bytes_transactions_guild_id_idempotency_key" UNIQUE ("guild_id", "idempotency_key"),
    CONSTRAINT "ck_bytes_transactions_amount" CHECK ("amount" >= 1),
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
);
CREATE INDEX "ix_bytes_transactions_created_at"
    ON "bytes_transactions" ("guild_id", "created_at", "id");
CREATE INDEX "ix_bytes_transactions_giver_id"
    ON "bytes_transactions" ("guild_id", "giver_id", "created_at", "id");
CREATE INDEX "ix_bytes_transactions_receiver_id"
    ON "bytes_transactions" ("guild_id", "receiver_id", "created_at", "id");

CREATE TABLE "squads" (
    "guild_id" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMP NOT NULL,
    "updated_at" TIMESTAMP NOT NULL,
    "id" CHAR(36) NOT NULL CONSTRAINT "pk_squads" PRIMARY KEY,
    "role_id" VARCHAR(20) NOT NULL,
    "name" VARCHAR(100) NOT NULL,
    "description" VARCHAR(500),
    "switch_cost" BIGINT NOT NULL,
    "max_members" INT,
    "is_active" INT NOT NULL,
    CONSTRAINT "uq_squads_id_guild_id" UNIQUE ("id", "guild_id"),
    CONSTRAINT "uq_squads_guild_id_role_id" UNIQUE ("guild_id", "role_id"),
    CONSTRAINT "ck_squads_switch_cost" CHECK ("switch_cost" >= 0),
    CONSTRAINT "ck_squads_max_members" CHECK ("max_members" >= 1),
    CONSTRAINT "ck_squads_types" CHECK (
        typeof("switch_cost") = 'integer' AND typeof("max_members") IN ('integer', 'null')
    ),
    CONSTRAINT "ck_squads_lengths" CHECK (
        length("guild_id") <= 20 AND length("role_id") <= 20 AND length("name") <= 100
        AND length("description") <= 500
    )
);

CREATE TABLE "squad_memberships" (
    "guild_id" VARCHAR(20) NOT NULL,
    "id" INTEGER NOT NULL CONSTRAINT "pk_squad_memberships" PRIMARY KEY AUTOINCREMENT,
    "user_id" VARCHAR(20) NOT NULL,
    "joined_at" TIMESTAMP NOT NULL,
    "idempotency_key" VARCHAR(100),
    "squad_id" CHAR(36) NOT NULL,
    CONSTRAINT "uq_squad_memberships_guild_id_user_id" UNIQUE ("guild_id", "user_id"),
    CONSTRAINT "uq_squad_memberships_guild_id_idempotency_key" UNIQUE ("guild_id", "idempotency_key"),
    CONSTRAINT "ck_squad_memberships_lengths" CHECK (
        length("guild_id") <= 20 AND length("user_id") <= 20 AND length("idempotency_key") <= 100
    ),
    -- With guild_id: a member's squad is of the member's own guild.
    CONSTRAINT "fk_squad_memberships_squad_id_squads" FOREIGN KEY ("squad_id", "guild_id")
        REFERENCES "squads" ("id", "guild_id") ON DELETE CASCADE
);
-- Counts a squad's members, and finds them when the squad is deleted.
CREATE INDEX "ix_squad_memberships_squad_id"
    ON "squad_memberships" ("guild_id", "squad_id", "user_id");

CREATE TABLE IF NOT EXISTS "aerich" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSON NOT NULL
);
"""


DOWN = """
DROP TABLE "squad_memberships";
DROP TABLE "squads";
DROP TABLE "bytes_transactions";
DROP TABLE "bytes_configs";
DROP TABLE "bytes_balances";
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return SQLITE if db.capabilities.dialect == "sqlite" else POSTGRES


async def downgrade(db: BaseDBAsyncClient) -> str:
    return f"BEGIN IMMEDIATE;{DOWN}" if db.capabilities.dialect == "sqlite" else DOWN


MODELS_STATE = (
    "eJztXG1v2zgS/iuEv2wW8AVpUje97uEAO0mv2W2SQ+Ne7/YFMi3RNi8S6Up0XaPb/74zlG"
    "RRb47kJI6c+EOLmOJQ1DzD4czDkb61hgvFAiv4PKNOsN/DHz3qUmGz1hvyrSWoh3+s6NUm"
    "LTqdZvtgs6JD1xAehgL6Eh0Gyqe2gqsj6gYMmhwW2D6fKi4FynyaUEUYtSfEY96Q+USOCC"
    "XjGXcdMqF6EEfaMAoX42V/GneGHm3CBZlPpMuIvn+bUOEQNWFRnx8C4lDuLgiMwejNPo44"
    "E/zzjFlKjhl09GHc335r6Xta3NEdAubjn3+0SfqC7VLuWTds0foDrrW4cNhXeFQY4FtrxJ"
    "nr6L9TIsNEgcawLfZ16rMgADVoEWyKQeBfrbQqLZdRh/lDSX09pFpMdceWHgc0rH98xzGm"
    "N5aeRwrVcCK63Yple3x8LtRb3ReVPLRs6c48kfSfLtREiqUAFwpbx0wwnyqGd1D+DCEVM9"
    "eNbCBGOdRw0iVUlCHjsBGduWgYKB1OIGlrWdblVd+6PutbVitvNNcz35djmARBJDImEo1n"
    "g2JBMzDrQOtijLP5298PD4+Ojg8Pjl697rw8Pu68PngNffXU85eOv4fzShQXDqXVd/6v88"
    "s+3luCgYf2jw3ftQxV1ErMIQHCtIs0HCcT6heDYcpkIIEHzEISA7AKk7ghASVZnHdA5ZQH"
    "tvSdaPHuBULORy69YT9WRMijX8HQxVhN4OfhwQrl/6f74eRd98Pe4cGPaQQuoyuH+hJike"
    "jehuUPOrKoymv/FK4o7rFiBNKSGQycSHQ//qNBiHyaMKFdoS/nZE4D4oEbIXtz6roEp9om"
    "H/snVeEBJThXwl1Ea3gFPP3zi7Prfvfi3ziyFwSfXa3jbv8Mrxzq1kWmde9VBsrlIOTTef"
    "8dwZ/k16vLMw2BDNTY13dM+vV/beGc6ExJC0zPoo7hbuLWWLMpy5hNnTUtIy25rZbh0kAR"
    "e0LFmDnPyzpiXRrmEc3esI5o067hsg2RrfDYON/mOWwjcKoeuhhCt8cv96X6g9qrzwhXBf"
    "sC2hcM4hn+hTUvmkkAUVJR1/KZzWCiNUPKvGxz4emCA9TgEA2NOelmQxMwUbCF3Q5LLLc1"
    "kMQTbiocuKNaOu0sjiiKwUhLrYomKsASBT4PvYVAiEBwRpi3YzyhY4kw4da5cjWUVigcQ4"
    "CMdsNMHhQ3KzL3UlvPijXX2k8T/QVIb1AM0zTR4dBFjhNZafiHL14ev3x99Orl0t6XLavM"
    "PG/SCfNRIxBKCa0VCm3IjM8d5k2lYsJeIKeQsmb9EKD9EeGKTCl3iJBqArone0ISlzlj3C"
    "TkfK2w6cVBlbgJepUGTvpaEVYOU2BHQR6vn6+vLlfhZQhmnRC3FfmTuDyoslY2hJ2mBBX+"
    "p6dPqAjmzK+6X6/QPuoplaTESt+76P43i8fJ+6teNvvAAXqADRJzoxuDEcKGIbVv5tR3rN"
    "wVeSjL+uYveYdetoUKOtbqxSfG58uzuidSjPi4tZr6jTq1qzK/tu5fkfg9Q85XU0U/wKYO"
    "otLLUXmtbrbHPul66L+DDOtbRutmSNpShrQZxNyDkKWNpOXKKdIdTbej6XY03Y6mq0vTBY"
    "r6Cp7dWos2KpLeXH4AIVxtw1hufZAdCDaPT0QjsqJekrDh7Finhxb1ivO3VTBlJTcJ0Z0Q"
    "MjJiSCEWARmykfRZeE4N4/Gpy5nfZNCi7HkoxSxgBUnFtb7eCy+vTMCNIe6UXqyFY+sfo5"
    "mwESSSCng96TA32I86Wump/rNVE/yLJaRwl6jygIRBVL0sfhPZiYkyBntwexGMQmusvjSz"
    "khv1nnUX53vqjxnspvGEM9lEk9dhPGVQvXQdORfWRM78ggVZzvmWj9BcSuwdThG8ppozho"
    "TYGDY5rO2JH+aRWDEfbMbyGebmtYiWrNzjOkLIDCH4Ae8Ht63t6/p4hLA8JMmXY6mwwssX"
    "geYx4cIe+ET9B3cqxq3Pk6Tpo21TO1L0KqbG7NmuSteoRKgiZ9NHSlTznW/0OcyCePIL85"
    "hQSJgWus5WV+cuMZ8aCYdhkbaMOUqPfOkRKRjERr5aECUJRY6V+fu/i9/FYHADljwYkAAj"
    "p/lk8YYMBvHCh+bYK4QhcPBTONz1/677ZxfQM47tB4M2/NKRGAhR4eDIYxhGDQY/4T2XEp"
    "Bkwf4QdsIBUIODQbXSQZ4wyfXqBNP0RY0qQRNHKz1KSaEgerCSWWi/eq8zMkesP5/Ir9zv"
    "lDKD3kc55ceP56c1iilnM+7so8zD0IRlUS6Hf3jr49peHufaJqAzVDM5vrPb1h76KOQLTG"
    "+sdbIromwWW2vo3lg2lXVvyGyF7rPlUET60d7QJBBwlrqlNhSmZKMBwXgjDvRxwiQ+6Itp"
    "2kactmZ2k6pYZMQaDcS2rIylTtdZHIXCjYYF10c860YvkXW43sdgedc6ojFfPVKQ4uAxzY"
    "smU0gQQwdholh9acQSTS7i+TRZaPoBM805uKsA0875ROqSQcxU9XthFUvSsq6qmq9a5aye"
    "3BspZVmGP3MZ5BnKxrO62pmGPvPkikzodAqTdtpIoSOkcopPAL3A1dmutG/IXvWTz+096c"
    "wfhCMbUmf1xv0bvZfFfE6bxHxNOzw1axPN0bRJyMpgyKHtbK3N7VWVvS2LrbG1vcrtbLaS"
    "dSM/U6bJ/rQ06gOfCjA4WGSHVDzCg7CEADUjEszScDXgKRBtMkq6/NEDXDS/zqZ6ZwjhAR"
    "/qe+CLqx6OPHwguEZN6jZWozIYKL1nLatS2yG7jT/yeKFIgFH8nFZ8r/nZnYxca99fehxy"
    "HW8Nt52BJE0Vzj0Y9SC6158pUBzDSICQxO4Rj7IKjj0UCBlfM2iXSFY7VdDnhUh3Vy1o3X"
    "HUO476mXLU255W7SqIdxXEuwrizVcQx3tsDZdtiGyFxw7Lb5rmsOsS9VvDzeuIJiLmG5SC"
    "JfOsofSMWOMzYhXrn3BIjIdyVvWF8RQCnUoIdFYg0MkjEMy5sieg26DmkUhGcHPnIp27VL"
    "/r46j/Sy7wlVmcO6RSSOLph8E2yIl4o1/nR5OIisvygK2siDak1kJrQyvmHQQHkHcv4hI6"
    "5N8VUkptAihNYPEQl3vQOMdwAm9QC657K7flgYU1XF+K3u6RYHFUlOS3plwGiCEIPtS6iZ"
    "PeegEbUgBLBIhhQnfKZntXV+9TkVjvPGP4lx8vemewn2hfBp24MtZDDRLIWDjh3Cd8WrBw"
    "epHw218+MJeWbCx5cudiOWaDdvtutNdEda6aw9PpcS3YktY4Pt0Qn2bodDWzllZ+JY7Nyh"
    "hBlW+CcnsSKdT8NCjHt75zTJvZm6a67pNu6reuMF7iFH9lNIoVPNiY7vhx0LVLf0M95Ua/"
    "pbA1p13LHOc+ilp33wjdfSP0WVGHu2/9PZLiMT1Yi5hLCT7BQpjkQ9YkfNRdOUyW1X0+R/"
    "0FX6miy8w6fJuKBmTkM9bYT1OZIUrV00lT5j7PKBudC6xxIJlL0TJqz+v8rfQZH4tf2EJr"
    "/hwmUvL1i+JD9iel8Vz2Bc0+nS9j5ZQdgmoc5rIwQz7pXp90T8/C6PqxCiO6zIdEqFWav0"
    "XXK6RtNOl5W64Wg5XX8R0+xlXkHbY1DylX0INQZeVpRVQWUWd3NESaHNpWV3E6iO10qkSx"
    "nU55GIvXMuWg02kdDUfdn6B2H+a7llKowk8cr/iiZSKy+W8sPKC2n3zd3/e/AFy1mSk="
)
