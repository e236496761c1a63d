await squads.join_squad(GUILD, ADA, owls.id)
squad = await squads.get_user_squad(GUILD, ADA)
print(squad.name)  # Night Owls
