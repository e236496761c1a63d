row = await ops.grant(GUILD, ADA, 50, username="ada", reason="first prize", actor_id=BO)
print(row.kind, row.amount, row.giver_id)  # grant 50 SYSTEM
