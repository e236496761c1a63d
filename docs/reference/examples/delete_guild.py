await ops.grant(GUILD, ADA, 50)
await guilds.delete_guild(GUILD)
print((await ops.verify(GUILD)).members)  # 0
print(await squads.get_guild_squads(GUILD))  # []
