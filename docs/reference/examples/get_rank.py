await ops.grant_many(GUILD, {ADA: 5, BO: 50})
place = await ops.get_rank(GUILD, ADA)
print(place.rank, place.balance)  # 2 105
print(await ops.get_rank(GUILD, 30))  # None
