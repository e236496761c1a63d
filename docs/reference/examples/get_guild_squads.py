await squads.join_squad(GUILD, ADA, owls.id)
for summary in await squads.get_guild_squads(GUILD):
    print(summary.squad.name, summary.member_count)
# Larks 0
# Night Owls 1
