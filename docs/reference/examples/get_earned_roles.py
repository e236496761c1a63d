await ops.update_config(GUILD, BytesConfigUpdate(role_rewards={"910": 120, "911": 500}))
await ops.grant(GUILD, ADA, 50)
print(await ops.get_earned_roles(GUILD, ADA))  # {'910'}
