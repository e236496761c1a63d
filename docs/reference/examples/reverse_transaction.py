gift = await ops.grant(GUILD, ADA, 50, username="ada", reason="first prize")
reversal = await ops.reverse_transaction(GUILD, gift.id, reason="Bo was faster", actor_id=BO)
print(reversal.kind, reversal.giver_id, reversal.amount)  # reversal 10 50
print((await ops.get_balance(GUILD, ADA)).total_received)  # 100
