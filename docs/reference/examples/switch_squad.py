await squads.join_squad(GUILD, ADA, owls.id)
membership = await squads.switch_squad(GUILD, ADA, larks.id)
print(membership.squad_id == larks.id, (await ops.get_balance(GUILD, ADA)).balance)  # True 20
