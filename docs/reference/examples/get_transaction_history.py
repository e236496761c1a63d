for amount in (1, 2, 3):
    await ops.grant(GUILD, ADA, amount)
page = await ops.get_transaction_history(GUILD, ADA, limit=2)
print([row.amount for row in page])  # [3, 2]
older = await ops.get_transaction_history(GUILD, ADA, limit=2, before=page[-1])
print([(row.kind, row.amount) for row in older])  # [('grant', 1), ('starting', 100)]
