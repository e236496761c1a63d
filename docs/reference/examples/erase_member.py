await ops.grant(GUILD, ADA, 50, username="ada")
pseudonym = await guilds.erase_member(GUILD, ADA)
print(await ops.find_balance(GUILD, ADA))  # None
for row in await ops.get_transaction_history(GUILD, pseudonym):
    print(row.kind, row.amount, repr(row.giver_username))
# charge 150 ''
# grant 50 'SYSTEM'
# starting 100 'SYSTEM'
print((await ops.verify(GUILD)).ok)  # True
