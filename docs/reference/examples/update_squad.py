squad = await squads.update_squad(GUILD, owls.id, SquadUpdate(max_members=None))
print(squad.name, squad.max_members)  # Night Owls None
