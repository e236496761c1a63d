squad = await squads.create_squad(
    SquadCreate(guild_id=GUILD, role_id=9, name="Hunters", switch_cost=40)
)
print(squad.name, squad.switch_cost, squad.is_active)  # Hunters 40 True
