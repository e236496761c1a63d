await ops.grant_many(GUILD, {ADA: 5, BO: 50})
await guilds.set_member_left(GUILD, BO)
print(await ops.count_members(GUILD))  # 1
