"""The rules that the database enforces: names of checks and triggers."""

from __future__ import annotations

_RULES = frozenset(
    {
        "ck_bytes_balances_balance",
        "ck_bytes_balances_identity",
        "ck_bytes_balances_streak_count",
        "ck_bytes_balances_total_received",
        "ck_bytes_balances_total_sent",
        "ck_bytes_configs_daily_amount",
        "ck_bytes_configs_max_transfer",
        "ck_bytes_configs_starting_balance",
        "ck_bytes_configs_streak_grace_days",
        "ck_bytes_configs_transfer_cooldown_hours",
        "ck_bytes_transactions_amount",
        "ck_bytes_transactions_kind",
        "ck_bytes_transactions_parties",
        "ck_squads_max_members",
        "ck_squads_switch_cost",
        "tr_bytes_transactions_final",
    }
)

# SQLite's columns would take a value of any type and length.
_SQLITE_RULES = frozenset(
    {
        "ck_bytes_balances_lengths",
        "ck_bytes_balances_types",
        "ck_bytes_configs_lengths",
        "ck_bytes_configs_types",
        "ck_bytes_transactions_lengths",
        "ck_bytes_transactions_types",
        "ck_squad_memberships_lengths",
        "ck_squads_lengths",
        "ck_squads_types",
    }
)


def rules_of(*, sqlite: bool) -> frozenset[str]:
    """Return the names of the checks and triggers of an upgraded database."""
    return _RULES | _SQLITE_RULES if sqlite else _RULES
