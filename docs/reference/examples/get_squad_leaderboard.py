await squads.join_squad(GUILD, ADA, owls.id)
await squads.join_squad(GUILD, BO, larks.id)
for standing in await squads.get_squad_leaderboard(GUILD):
    print(standing.rank, standing.squad.name, standing.total_balance)
# 1 Larks 80
# 2 Night Owls 40
