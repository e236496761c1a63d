claim = await ops.claim_daily(GUILD, ADA, "ada", idempotency_key="interaction-2")
print(claim.amount, claim.streak, claim.balance)  # 10 1 110
