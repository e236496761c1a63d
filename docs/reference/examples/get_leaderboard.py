await ops.grant_many(GUILD, {ADA: 5, BO: 50})
for place in await ops.get_leaderboard(GUILD, limit=10):
    print(place.rank, place.user_id, place.balance)
# 1 20 150
# 2 10 105
