await ops.update_config(GUILD, BytesConfigUpdate(role_rewards={"910": 120, "911": 500}))
await ops.grant(GUILD, ADA, 50)
await squads.join_squad(GUILD, ADA, larks.id)
changes = await guilds.get_role_changes(GUILD, ADA, ["910", "911", "7", "99"])
print(sorted(changes.add))  # ['8']
print(sorted(changes.remove))  # ['7', '911']
