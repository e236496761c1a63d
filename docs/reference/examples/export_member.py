await ops.create_transaction(
    BytesTransactionCreate(
        guild_id=GUILD,
        giver_id=ADA,
        giver_username="ada",
        receiver_id=BO,
        receiver_username="bo",
        amount=25,
    )
)
export = await guilds.export_member(GUILD, BO)
print(export.balance["balance"])  # 125
for row in export.transactions:
    print(row["kind"], row["giver_id"], row["amount"])
# starting SYSTEM 100
# transfer 10 25
print("ada" in export.model_dump_json())  # False
