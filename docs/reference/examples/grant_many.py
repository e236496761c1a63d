paid = await ops.grant_many(GUILD, {ADA: 5, BO: 3}, reason="quiz", idempotency_key="quiz-12")
print(paid, (await ops.get_balance(GUILD, BO)).balance)  # 2 103
