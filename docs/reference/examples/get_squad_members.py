await squads.join_squad(GUILD, ADA, owls.id)
await squads.join_squad(GUILD, BO, owls.id)
print([seat.user_id for seat in await squads.get_squad_members(GUILD, owls.id)])  # ['10', '20']
