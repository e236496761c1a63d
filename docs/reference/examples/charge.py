row = await ops.charge(GUILD, ADA, 30, username="ada", reason="a hat")
print(row.kind, (await ops.get_balance(GUILD, ADA)).balance)  # charge 70
