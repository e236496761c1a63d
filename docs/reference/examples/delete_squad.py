await squads.delete_squad(GUILD, owls.id)
print([summary.squad.name for summary in await squads.get_guild_squads(GUILD)])  # ['Larks']
