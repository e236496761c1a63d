await squads.join_squad(GUILD, ADA, larks.id)
await squads.leave_squad(GUILD, ADA, idempotency_key="interaction-4")
print(await squads.get_user_squad(GUILD, ADA))  # None
