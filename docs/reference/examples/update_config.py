config = await ops.update_config(GUILD, BytesConfigUpdate(daily_amount=25))
print(config.daily_amount, config.starting_balance)  # 25 100
