await squads.join_squad(GUILD, ADA, owls.id)
print(await guilds.set_member_left(GUILD, ADA))  # True
print(await ops.get_leaderboard(GUILD))  # []
print(await squads.get_user_squad(GUILD, ADA))  # None
await guilds.set_member_left(GUILD, ADA, left=False)
print((await ops.get_rank(GUILD, ADA)).balance)  # 40
