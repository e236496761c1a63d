await ops.grant_many(GUILD, {ADA: 5, BO: 3})
print(await ops.reset_balances(GUILD, reason="new season", idempotency_key="season-2"))  # 2
print((await ops.get_balance(GUILD, ADA)).balance)  # 100
print(await ops.reset_balances(GUILD, reason="new season", idempotency_key="season-2"))  # 2
