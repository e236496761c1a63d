ada = await ops.get_balance(GUILD, ADA, "ada")
print(ada.balance, ada.total_received, ada.streak_count)  # 100 100 0
