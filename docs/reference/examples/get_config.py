config = await ops.get_config(GUILD)
print(config.daily_amount, config.streak_bonuses)  # 10 {8: 2, 16: 4, 32: 8, 64: 16}
