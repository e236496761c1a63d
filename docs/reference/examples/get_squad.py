squad = await squads.get_squad(GUILD, owls.id)
print(squad.name, squad.max_members)  # Night Owls 5
