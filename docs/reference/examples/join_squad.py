await squads.join_squad(GUILD, ADA, owls.id, username="ada", idempotency_key="interaction-3")
print((await ops.get_balance(GUILD, ADA)).balance)  # 40
