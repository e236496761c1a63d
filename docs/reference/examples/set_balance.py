row = await ops.set_balance(GUILD, ADA, 250, username="ada", reason="moved from another bot")
print(row.kind, row.amount)  # grant 150
row = await ops.set_balance(GUILD, ADA, 200, username="ada")
print(row.kind, row.amount)  # charge 50
print(await ops.set_balance(GUILD, ADA, 200))  # None
