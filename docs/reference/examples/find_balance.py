await ops.get_balance(GUILD, ADA)
found = await ops.find_balance(GUILD, ADA)
print(found.balance)  # 100
print(await ops.find_balance(GUILD, BO))  # None
