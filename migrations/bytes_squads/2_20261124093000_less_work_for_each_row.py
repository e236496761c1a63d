"""Less work for each row on PostgreSQL: no entries that nobody looks up, no language, short checks.

- SYSTEM is party to every grant, claim and charge, and nobody asks for SYSTEM's page of the ledger:
  the indexes of givers and receivers leave it out. Whoever looks a member up by a parameter adds
  "giver_id <> 'SYSTEM'", or a plan made for any value cannot use the index.
- Only a claim that paid nothing leaves a key at the member's row. As a constraint its index had an
  entry for every version of every row; now it is unique where there is a key.
- Ids and keys are no words of a language. In the collation "C" they are compared byte by byte:
  faster where the database has another locale, and the indexes stay right when an operating system
  comes with other collations.
- PostgreSQL reads a check from its catalogue each time a statement changes the table. The kinds as
  one array of text are half as long there as a list of six values.

The columns stay as they are on disk; the indexes are made anew while the tables are locked.

SQLite compares bytes anyway, touches an index only when one of its columns changes, and needs no
part of this: it cannot tell from a parameter that it is not SYSTEM, and would not use the indexes.
Aerich knows neither collations nor conditions of indexes; the models' state is that of the first
migration.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


# A column that a trigger looks at cannot change its type: the trigger goes and comes back.
_TRIGGER = """
CREATE TRIGGER "tr_bytes_transactions_final"
    BEFORE UPDATE ON "bytes_transactions" FOR EACH ROW
    WHEN (
        ROW (OLD."id", OLD."guild_id", OLD."giver_id", OLD."receiver_id", OLD."amount", OLD."kind",
            OLD."created_at")
        IS DISTINCT FROM
        ROW (NEW."id", NEW."guild_id", NEW."giver_id", NEW."receiver_id", NEW."amount", NEW."kind",
            NEW."created_at")
    )
    EXECUTE FUNCTION "bytes_transactions_are_final"();
"""

POSTGRES = f"""
ALTER TABLE "bytes_balances" DROP CONSTRAINT "uq_bytes_balances_guild_id_claim_key";
DROP INDEX "ix_bytes_transactions_giver_id";
DROP INDEX "ix_bytes_transactions_receiver_id";
DROP TRIGGER "tr_bytes_transactions_final" ON "bytes_transactions";

ALTER TABLE "bytes_balances"
    ALTER "guild_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "user_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "claim_key" TYPE VARCHAR(100) COLLATE "C";
ALTER TABLE "bytes_configs"
    ALTER "guild_id" TYPE VARCHAR(20) COLLATE "C";
ALTER TABLE "bytes_transactions"
    ALTER "guild_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "giver_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "receiver_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "idempotency_key" TYPE VARCHAR(100) COLLATE "C";
ALTER TABLE "squads"
    ALTER "guild_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "role_id" TYPE VARCHAR(20) COLLATE "C";
ALTER TABLE "squad_memberships"
    ALTER "guild_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "user_id" TYPE VARCHAR(20) COLLATE "C",
    ALTER "idempotency_key" TYPE VARCHAR(100) COLLATE "C";
ALTER TABLE "bytes_transactions"
    DROP CONSTRAINT "ck_bytes_transactions_kind",
    ADD CONSTRAINT "ck_bytes_transactions_kind" CHECK (
        "kind" = ANY ('{{transfer,starting,daily,grant,charge,squad}}'::text[])
    );
{_TRIGGER}
CREATE UNIQUE INDEX "uq_bytes_balances_guild_id_claim_key"
    ON "bytes_balances" ("guild_id", "claim_key") WHERE "claim_key" IS NOT NULL;
CREATE INDEX "ix_bytes_transactions_giver_id"
    ON "bytes_transactions" ("guild_id", "giver_id", "created_at", "id")
    WHERE "giver_id" <> 'SYSTEM';
CREATE INDEX "ix_bytes_transactions_receiver_id"
    ON "bytes_transactions" ("guild_id", "receiver_id", "created_at", "id")
    WHERE "receiver_id" <> 'SYSTEM';
"""

POSTGRES_DOWN = f"""
DROP INDEX "ix_bytes_transactions_receiver_id";
DROP INDEX "ix_bytes_transactions_giver_id";
DROP INDEX "uq_bytes_balances_guild_id_claim_key";
DROP TRIGGER "tr_bytes_transactions_final" ON "bytes_transactions";

ALTER TABLE "squad_memberships"
    ALTER "guild_id" TYPE VARCHAR(20),
    ALTER "user_id" TYPE VARCHAR(20),
    ALTER "idempotency_key" TYPE VARCHAR(100);
ALTER TABLE "squads"
    ALTER "guild_id" TYPE VARCHAR(20),
    ALTER "role_id" TYPE VARCHAR(20);
ALTER TABLE "bytes_transactions"
    ALTER "guild_id" TYPE VARCHAR(20),
    ALTER "giver_id" TYPE VARCHAR(20),
    ALTER "receiver_id" TYPE VARCHAR(20),
    ALTER "idempotency_key" TYPE VARCHAR(100);
ALTER TABLE "bytes_configs"
    ALTER "guild_id" TYPE VARCHAR(20);
ALTER TABLE "bytes_balances"
    ALTER "guild_id" TYPE VARCHAR(20),
    ALTER "user_id" TYPE VARCHAR(20),
    ALTER "claim_key" TYPE VARCHAR(100);
ALTER TABLE "bytes_transactions"
    DROP CONSTRAINT "ck_bytes_transactions_kind",
    ADD CONSTRAINT "ck_bytes_transactions_kind"
        CHECK ("kind" IN ('transfer', 'starting', 'daily', 'grant', 'charge', 'squad'));
{_TRIGGER}
CREATE INDEX "ix_bytes_transactions_receiver_id"
    ON "bytes_transactions" ("guild_id", "receiver_id", "created_at", "id");
CREATE INDEX "ix_bytes_transactions_giver_id"
    ON "bytes_transactions" ("guild_id", "giver_id", "created_at", "id");
ALTER TABLE "bytes_balances"
    ADD CONSTRAINT "uq_bytes_balances_guild_id_claim_key" UNIQUE ("guild_id", "claim_key");
"""


# Nothing to do, but only once: of processes that upgrade at the same time the later ones fail here,
# as they do at a table that is already there, and the history has no version twice.
SQLITE = """
BEGIN IMMEDIATE;
CREATE TEMP TABLE "once" ("before" INTEGER CONSTRAINT "ck_once" CHECK ("before" = 0));
INSERT INTO "once"
    SELECT count(*) FROM "aerich" WHERE "version" = '2_20261124093000_less_work_for_each_row.py';
DROP TABLE "once";
"""

# Aerich takes an empty downgrade for one that was forgotten.
SQLITE_DOWN = """
BEGIN IMMEDIATE;
SELECT 1;
"""


async def upgrade(db: BaseDBAsyncClient) -> str:
    return SQLITE if db.capabilities.dialect == "sqlite" else POSTGRES


async def downgrade(db: BaseDBAsyncClient) -> str:
    return SQLITE_DOWN if db.capabilities.dialect == "sqlite" else POSTGRES_DOWN


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
