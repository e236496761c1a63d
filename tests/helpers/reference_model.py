"""A reference model of one guild: results, refusals and rows of every operation.

The arithmetic is written out here once more, in plain Python, so that it can disagree with the
package. Rows are dicts by column, never changed but replaced. The ids of the ledger's rows follow
the order of writing: on paper an id is the row's number.
"""

from __future__ import annotations

from copy import copy
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import bytes_squads as b
from bytes_squads.schemas import DayTotal, KindTotal

Row = dict[str, Any]

SYSTEM = "SYSTEM"
NOTHING = object()
"""What `Model.first` returns for a key that was not used."""

DEFAULTS = {
    "starting_balance": 100,
    "daily_amount": 10,
    "streak_bonuses": {8: 2, 16: 4, 32: 8, 64: 16},
    "max_transfer": 1000,
    "transfer_cooldown_hours": 0,
    "role_rewards": {},
    "timezone": "UTC",
    "streak_grace_days": 0,
    "currency_name": "bytes",
    "currency_emoji": None,
}


class ReferenceModel:
    """Both kinds of operations on one guild; each is the method of its name."""

    def __init__(self) -> None:
        self.config: Row = {}
        self.members: dict[str, Row] = {}
        self.ledger: list[Row] = []
        self.squads: dict[Any, Row] = {}
        self.seats: dict[str, Row] = {}
        self.answers: dict[str, Any] = {}

    def do(self, now: datetime, name: str, *args: Any, **keywords: Any) -> Any:
        """Run an operation by name; a refusal changes nothing."""
        before = {part: copy(value) for part, value in vars(self).items()}
        self.now, self.key = now, keywords.pop("idempotency_key", None)
        try:
            return getattr(self, name)(*args, **keywords)
        except b.BytesSquadsError:
            vars(self).update(before)
            raise

    def tables(self) -> Row:
        parts = ("config", "members", "ledger", "squads", "seats")
        return {part: getattr(self, part) for part in parts}

    # What operations have in common ---------------------------------------------------------------

    def first(self, *order: Any) -> Any:
        """Return the result of the first request with the key; `NOTHING` for a new key."""
        if self.key is None or self.key not in self.answers:
            return NOTHING
        first, answer = self.answers[self.key]
        if order != first:
            raise b.IdempotencyConflictError(self.key)
        return answer

    def answer(self, answer: Any, *order: Any) -> Any:
        if self.key is not None:
            self.answers[self.key] = order, answer
        return answer

    def create_members(self, names: dict[str, str]) -> Row:
        config = self.get_config()
        for user in sorted(names.keys() - self.members.keys()):
            money = {"balance": 0, "total_received": 0, "total_sent": 0}
            times = {"last_daily": None, "last_transfer_at": None, "left_at": None}
            self.members[user] = {"user_id": user, "streak_count": 0} | money | times
            self.move("starting", SYSTEM, user, config["starting_balance"], names)
        return config

    def move(
        self, kind: str, giver: str, receiver: str, amount: int, names: dict[str, str], **more: Any
    ) -> Row:
        totals, more_of = ("total_sent", "total_received"), amount
        if kind == "reversal":
            totals, more_of = totals[::-1], -amount
        for user, sign, total in ((giver, -1, totals[0]), (receiver, 1, totals[1])):
            if user != SYSTEM:
                old = self.members[user]
                if old["balance"] + sign * amount < 0:
                    raise b.InsufficientBalanceError(old["balance"], amount)
                if old[total] + more_of >= 2**63:
                    raise b.BalanceOverflowError(old[total], amount)
                new = {"balance": old["balance"] + sign * amount, total: old[total] + more_of}
                self.members[user] = old | new
        row: Row = {"id": len(self.ledger), "kind": kind, "amount": amount, "created_at": self.now}
        row |= {"giver_id": giver, "giver_username": names.get(giver, SYSTEM)}
        row |= {"receiver_id": receiver, "receiver_username": names.get(receiver, SYSTEM)}
        row |= {"reason": None, "actor_id": None, "idempotency_key": None, "reverses_id": None}
        row |= more
        self.ledger.append(row)
        return row

    # Bytes ----------------------------------------------------------------------------------------

    def get_balance(self, user: str, username: str) -> Row:
        if user not in self.members:
            self.create_members({user: username})
        return self.members[user]

    def find_balance(self, user: str) -> Row | None:
        return self.members.get(user)

    def count_members(self) -> int:
        return sum(row["left_at"] is None for row in self.members.values())

    def create_transaction(self, data: b.BytesTransactionCreate) -> Any:
        giver, receiver, self.key = str(data.giver_id), str(data.receiver_id), data.idempotency_key
        order = ("transfer", giver, receiver, data.amount)
        if (first := self.first(*order, data.reason)) is not NOTHING:
            return first
        names = {giver: data.giver_username, receiver: data.receiver_username}
        config = self.create_members(names)
        if data.amount > config["max_transfer"]:
            raise b.TransferLimitError(data.amount, config["max_transfer"])
        last = self.members[giver]["last_transfer_at"]
        row = self.move(*order, names, reason=data.reason, idempotency_key=self.key)
        if last and config["transfer_cooldown_hours"]:
            available_at = last + timedelta(hours=config["transfer_cooldown_hours"])
            if self.now < available_at:
                raise b.TransferCooldownError(available_at)
        latest = max(last or self.now, self.now)
        self.members[giver] = self.members[giver] | {"last_transfer_at": latest}
        return self.answer(row, *order, data.reason)

    def claim_daily(self, user: str, username: str) -> Any:
        if (first := self.first("daily", user)) is not NOTHING:
            return first
        config = self.create_members({user: username})
        zone = ZoneInfo(config["timezone"])
        today = self.now.astimezone(zone).date()
        last, streak, multiplier = self.members[user]["last_daily"], 1, 1
        if last is not None:
            if today <= last:
                next_claim = self.now
                while next_claim.astimezone(zone).date() <= last:  # a date begins on the minute
                    next_claim = next_claim.replace(second=0, microsecond=0) + timedelta(minutes=1)
                raise b.DailyAlreadyClaimedError(last, next_claim)
            if today - last <= timedelta(days=1 + config["streak_grace_days"]):
                streak = self.members[user]["streak_count"] + 1
        for days, times in sorted(config["streak_bonuses"].items()):
            multiplier = times if days <= streak else multiplier
        pay = config["daily_amount"] * multiplier
        row = self.move("daily", SYSTEM, user, pay, {user: username}, idempotency_key=self.key)
        claimed = {"last_daily": today, "streak_count": streak}
        self.members[user] = self.members[user] | claimed
        balance = self.members[user]["balance"]
        claim = b.DailyClaim(pay, multiplier, streak, today, balance, row["id"])
        return self.answer(claim, "daily", user)

    def grant(self, user: str, amount: int, **keywords: Any) -> Any:
        return self.post_entry(user, ("grant", SYSTEM, user, amount), **keywords)

    def charge(self, user: str, amount: int, **keywords: Any) -> Any:
        return self.post_entry(user, ("charge", user, SYSTEM, amount), **keywords)

    def post_entry(
        self, user: str, order: tuple[str, str, str, int], *, username: str, **keywords: Any
    ) -> Any:
        if (first := self.first(*order, keywords["reason"])) is not NOTHING:
            return first
        names = {user: username}
        self.create_members(names)
        row = self.move(*order, names, idempotency_key=self.key, **keywords)
        return self.answer(row, *order, keywords["reason"])

    def grant_many(self, amounts: dict[str, int], reason: Any, actor_id: Any) -> Any:
        order = ("grant_many", sorted(amounts.items()), reason)
        if not amounts:
            return 0
        if (first := self.first(*order)) is not NOTHING:
            return first
        names = dict.fromkeys(amounts, "")
        self.create_members(names)
        for number, (user, amount) in enumerate(sorted(amounts.items())):
            key = None if number else self.key  # the first of the rows holds it
            more = {"reason": reason, "actor_id": actor_id, "idempotency_key": key}
            self.move("grant", SYSTEM, user, amount, names, **more)
        return self.answer(len(amounts), *order)

    def set_balance(
        self, user: str, *, balance: int, username: str, reason: Any, actor_id: Any
    ) -> Any:
        order = ("set_balance", user, balance, reason)
        if (first := self.first(*order)) is not NOTHING:
            return first
        names = {user: username}
        self.create_members(names)
        row = self.adjust(user, balance, names, self.key, reason=reason, actor_id=actor_id)
        return row and self.answer(row, *order)

    def reset_balances(self, *, balance: int | None, reason: Any, actor_id: Any) -> Any:
        order = ("reset_balances", balance, reason)
        if (first := self.first(*order)) is not NOTHING:
            return first
        target = self.get_config()["starting_balance"] if balance is None else balance
        changed = 0
        for user in sorted(self.members):
            key = None if changed else self.key  # the first of the rows holds it
            more = {"reason": reason, "actor_id": actor_id}
            changed += self.adjust(user, target, {user: ""}, key, **more) is not None
        return self.answer(changed, *order) if changed else 0

    def adjust(
        self, user: str, balance: int, names: dict[str, str], key: str | None, **more: Any
    ) -> Row | None:
        """Move the difference between the member's balance and another one."""
        difference = balance - self.members[user]["balance"]
        if not difference:
            return None
        way = ("grant", SYSTEM, user) if difference > 0 else ("charge", user, SYSTEM)
        return self.move(*way, abs(difference), names, idempotency_key=key, **more)

    def reverse_transaction(self, *, transaction_id: Any, reason: Any, actor_id: Any) -> Any:
        row = next((row for row in self.ledger if row["id"] == transaction_id), None)
        if row is None:
            raise b.TransactionNotFoundError(transaction_id)
        order = ("reversal", transaction_id, reason)
        if (first := self.first(*order)) is not NOTHING:
            return first
        if row["kind"] in {"starting", "reversal"} or not row["amount"]:
            raise b.NotReversibleError(transaction_id, row["kind"])
        for other in self.ledger:
            if other["reverses_id"] == transaction_id:
                raise b.AlreadyReversedError(transaction_id, other["id"])
        names = {row[f"{party}_id"]: row[f"{party}_username"] for party in ("giver", "receiver")}
        way = "reversal", row["receiver_id"], row["giver_id"], row["amount"]
        more = {"reason": reason, "actor_id": actor_id, "reverses_id": transaction_id}
        return self.answer(self.move(*way, names, idempotency_key=self.key, **more), *order)

    def get_leaderboard(self, limit: int, offset: int) -> list[b.LeaderboardEntry]:
        here = {user: row for user, row in self.members.items() if row["left_at"] is None}
        pairs = sorted((-row["balance"], user) for user, row in here.items())
        entries = [b.LeaderboardEntry(n, user, -low) for n, (low, user) in enumerate(pairs, 1)]
        return entries[offset : offset + limit]

    def get_rank(self, user: str) -> b.LeaderboardEntry | None:
        everybody = self.get_leaderboard(limit=len(self.members), offset=0)
        return next((entry for entry in everybody if entry.user_id == user), None)

    def get_earnings_leaderboard(
        self, since: datetime, until: datetime | None, limit: int
    ) -> list[b.LeaderboardEntry]:
        undone = {row["reverses_id"] for row in self.ledger}
        sums: dict[str, int] = {}
        for row in self.ledger:
            user, when = row["receiver_id"], row["created_at"]
            if row["kind"] not in {"transfer", "daily", "grant"} or row["id"] in undone:
                continue
            if since <= when and (until is None or when < until):
                sums[user] = sums.get(user, 0) + row["amount"]
        here = [user for user in sums if sums[user] and not self.members[user]["left_at"]]
        here.sort(key=lambda user: (-sums[user], user))
        return [b.LeaderboardEntry(n, user, sums[user]) for n, user in enumerate(here, 1)][:limit]

    def get_transaction_history(
        self,
        user: str | None,
        limit: int,
        before: Any,
        kind: str | None = None,
        since: datetime | None = None,
    ) -> list[Row]:
        rows = [r for r in self.ledger if user in {None, r["giver_id"], r["receiver_id"]}]
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
        rows = [r for r in rows if kind in {None, r["kind"]}]
        rows = [r for r in rows if since is None or r["created_at"] >= since]
        return rows[rows.index(before) + 1 if before else 0 :][:limit]

    def get_earned_roles(self, user: str) -> set[str]:
        total = self.members[user]["total_received"] if user in self.members else -1
        return {
            role for role, needed in self.config.get("role_rewards", {}).items() if total >= needed
        }

    def verify(self) -> b.LedgerReport:
        return b.LedgerReport(len(self.members), len(self.ledger), ())

    def get_config(self) -> Row:
        return self.config or DEFAULTS

    def update_config(self, changes: b.BytesConfigUpdate) -> Row:
        if given := changes.model_dump(exclude_unset=True):
            self.config = self.get_config() | given
        return self.get_config()

    # Squads ---------------------------------------------------------------------------------------

    def create_squad(self, data: b.SquadCreate, drawn: Any) -> Row:
        """Create a squad with the id that the package drew."""
        squad = {"id": drawn} | data.model_dump(exclude={"guild_id"})
        self.refuse_taken_role(squad)
        self.squads[drawn] = squad
        return squad

    def refuse_taken_role(self, squad: Row) -> None:
        others = [other for other in self.squads.values() if other["id"] != squad["id"]]
        if squad["role_id"] in {other["role_id"] for other in others}:
            raise b.SquadRoleTakenError(squad["role_id"])

    def get_squad(self, squad_id: Any) -> Row:
        if squad_id not in self.squads:
            raise b.SquadNotFoundError(squad_id)
        return self.squads[squad_id]

    def update_squad(self, squad_id: Any, changes: b.SquadUpdate) -> Row:
        squad = self.get_squad(squad_id) | changes.model_dump(exclude_unset=True)
        self.refuse_taken_role(squad)
        self.squads[squad_id] = squad
        return squad

    def delete_squad(self, squad_id: Any) -> None:
        del self.squads[self.get_squad(squad_id)["id"]]
        self.seats = {u: seat for u, seat in self.seats.items() if seat["squad_id"] != squad_id}

    def get_guild_squads(self, active_only: bool) -> list[tuple[Row, int]]:
        squads = sorted(self.squads.values(), key=lambda squad: (squad["name"], squad["id"]))
        shown = [squad for squad in squads if squad["is_active"] or not active_only]
        return [(squad, len(self.get_squad_members(squad["id"]))) for squad in shown]

    def join_squad(self, user: str, squad_id: Any, username: str) -> Any:
        if (first := self.first("join", user, squad_id)) is not NOTHING:
            return first
        self.refuse_inactive(squad_id)
        if user in self.seats:
            raise b.AlreadyInSquadError(self.seats[user]["squad_id"])
        return self.sit("join", user, squad_id, username)

    def switch_squad(self, user: str, squad_id: Any, username: str) -> Any:
        if (first := self.first("switch", user, squad_id)) is not NOTHING:
            return first
        self.refuse_inactive(squad_id)
        if user not in self.seats:
            raise b.NotInSquadError(user)
        if self.seats[user]["squad_id"] == squad_id:
            raise b.AlreadyInSquadError(squad_id)
        return self.sit("switch", user, squad_id, username)

    def refuse_inactive(self, squad_id: Any) -> None:
        if not self.get_squad(squad_id)["is_active"]:
            raise b.SquadInactiveError(squad_id)

    def sit(self, how: str, user: str, squad_id: Any, username: str) -> Any:
        squad, names = self.squads[squad_id], {user: username}
        most, cost = squad["max_members"], squad["switch_cost"]
        if most is not None and len(self.get_squad_members(squad_id)) >= most:
            raise b.SquadFullError(squad_id, most)
        self.create_members(names)
        more = {"reason": squad["name"], "idempotency_key": self.key}
        self.move("squad", user, SYSTEM, cost, names, **more)
        seat = {"user_id": user, "squad_id": squad_id, "joined_at": self.now}
        self.seats[user] = seat
        return self.answer(seat, how, user, squad_id)

    def leave_squad(self, user: str) -> None:
        if self.first("leave", user) is not NOTHING:
            return
        if user not in self.seats:
            raise b.NotInSquadError(user)
        del self.seats[user]
        self.move("squad", user, SYSTEM, 0, {user: ""}, idempotency_key=self.key)
        self.answer(None, "leave", user)

    def get_user_squad(self, user: str) -> Row | None:
        return self.squads[self.seats[user]["squad_id"]] if user in self.seats else None

    def get_squad_members(self, squad_id: Any) -> list[Row]:
        self.get_squad(squad_id)
        seats = [seat for seat in self.seats.values() if seat["squad_id"] == squad_id]
        return sorted(seats, key=lambda seat: seat["joined_at"])

    def get_squad_leaderboard(self, limit: int) -> list[tuple[int, Row, int, int]]:
        standings = []
        for squad, _ in self.get_guild_squads(active_only=True):
            users = [seat["user_id"] for seat in self.get_squad_members(squad["id"])]
            here = [self.members[user] for user in users if self.members[user]["left_at"] is None]
            standings.append((squad, len(here), sum(row["balance"] for row in here)))
        standings.sort(key=lambda standing: -standing[2])  # by name among equals, as they came
        return [(rank, *standing) for rank, standing in enumerate(standings, 1)][:limit]

    # The guild -----------------------------------------------------------------------------------

    def set_member_left(self, user: str, left: bool) -> bool:
        if user not in self.members:
            return False
        if left and user in self.seats:
            self.leave_squad(user)
        old = self.members[user]["left_at"]
        self.members[user] = self.members[user] | {"left_at": (old or self.now) if left else None}
        return True

    def get_role_changes(self, user: str, role_ids: list[str]) -> b.RoleChanges:
        rewards, squad = self.config.get("role_rewards", {}), self.get_user_squad(user)
        due = self.get_earned_roles(user) | ({squad["role_id"]} if squad else set())
        given = {*rewards, *(each["role_id"] for each in self.squads.values())}
        add = {role for role in due if role not in role_ids}
        remove = {role for role in role_ids if role in given and role not in due}
        return b.RoleChanges(frozenset(add), frozenset(remove))

    def get_statistics(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> b.EconomyStatistics:
        zone = ZoneInfo(self.get_config()["timezone"])
        kinds: dict[str, KindTotal] = {}
        days: dict[date, DayTotal] = {}
        active: dict[date, set[str]] = {}
        for row in self.ledger:
            when, amount, parties = row["created_at"], row["amount"], parties_of(row)
            if (since and when < since) or (until and when >= until):
                continue
            kind = kinds.get(row["kind"], KindTotal(0, 0))
            kinds[row["kind"]] = KindTotal(kind.count + 1, kind.amount + amount)
            today = when.astimezone(zone).date()
            active.setdefault(today, set()).update(parties - {SYSTEM})
            day = days.get(today, DayTotal(today, 0, 0, 0, 0))
            days[today] = DayTotal(
                today,
                day.created + amount * (row["giver_id"] == SYSTEM),
                day.retired + amount * (row["receiver_id"] == SYSTEM),
                day.transferred + amount * (row["kind"] == "transfer"),
                len(active[today]),
            )
        here = sorted(row["balance"] for row in self.members.values() if not row["left_at"])
        richest = here[len(here) * 9 // 10 :]
        return b.EconomyStatistics(
            members=len(here),
            circulation=sum(row["balance"] for row in self.members.values()),
            richest_tenth_share=sum(richest) / sum(here) if sum(here) else 0.0,
            created=sum(day.created for day in days.values()),
            retired=sum(day.retired for day in days.values()),
            transferred=sum(day.transferred for day in days.values()),
            kinds=kinds,
            days=[days[day] for day in sorted(days)],
        )

    # A guild and its people: privacy --------------------------------------------------------------

    def export_member(self, user: str) -> Any:
        """Balance, squad, the numbers of the ledger's rows oldest first, and how many ordered."""
        rows = self.get_transaction_history(user, limit=len(self.ledger), before=None)
        return (
            self.members[user]["balance"] if user in self.members else None,
            self.seats[user]["squad_id"] if user in self.seats else None,
            [row["id"] for row in rows[::-1]],
            len([row for row in self.ledger if row["actor_id"] == user]),
        )

    def erase_member(self, user: str, drawn: str) -> str:
        """Erase a member, with the pseudonym that the package drew."""
        moments = {moment_of(row) for row in self.ledger if user in parties_of(row)}
        keyed = {row["idempotency_key"]: row for row in self.ledger}
        changed = {row["id"]: erase(row, user, drawn) for row in self.ledger}
        self.ledger = list(changed.values())
        for key, (order, answer) in list(self.answers.items()):
            row = keyed[key]
            bulk = order[0] == "grant_many" and moment_of(row) in moments
            # The reason is part of each request, and emptied.
            emptied = row["reason"] is not None and user in parties_of(row)
            new = ("erased",) if bulk or emptied or user in order else order
            is_row = isinstance(answer, dict) and "id" in answer
            self.answers[key] = new, changed[answer["id"]] if is_row else answer
        if user in self.members:
            old = self.members.pop(user)
            gone = {"last_daily": None, "last_transfer_at": None, "streak_count": 0}
            self.members[drawn] = old | gone | {"user_id": drawn, "left_at": self.now}
            if old["balance"]:
                self.move("charge", drawn, SYSTEM, old["balance"], {drawn: ""})
        if self.seats.pop(user, None):
            self.move("squad", drawn, SYSTEM, 0, {drawn: ""})
        return drawn

    def delete_guild(self) -> None:
        self.config, self.members, self.ledger = {}, {}, []
        self.squads, self.seats, self.answers = {}, {}, {}


def parties_of(row: Row) -> set[str]:
    return {row["giver_id"], row["receiver_id"]}


def moment_of(row: Row) -> tuple[Any, str]:
    return row["created_at"], row["kind"]


def erase(row: Row, user: str, pseudonym: str) -> Row:
    """A row of the ledger after a member was erased."""
    new = dict(row)
    for party in ("giver", "receiver"):
        if row[f"{party}_id"] == user:
            new |= {f"{party}_id": pseudonym, f"{party}_username": "", "reason": None}
    if row["actor_id"] == user:
        new["actor_id"] = pseudonym
    return new
