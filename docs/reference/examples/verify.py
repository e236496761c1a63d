await ops.grant(GUILD, ADA, 50)
report = await ops.verify(GUILD)
print(report.ok, report.members, report.transactions)  # True 1 2
