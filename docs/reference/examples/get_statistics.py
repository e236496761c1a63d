await ops.grant_many(GUILD, {ADA: 500, BO: 100})
await ops.charge(GUILD, ADA, 50)
found = await guilds.get_statistics(GUILD)
print(found.members, found.circulation)  # 2 750
print(found.created, found.retired, found.transferred)  # 800 50 0
print(f"{found.richest_tenth_share:.0%}")  # 73%
print(found.kinds["grant"].count, found.kinds["grant"].amount)  # 2 600
print(found.days[0].active_members)  # 2
