gift = BytesTransactionCreate(
    guild_id=GUILD,
    giver_id=ADA,
    giver_username="ada",
    receiver_id=BO,
    receiver_username="bo",
    amount=25,
    reason="thanks",
    idempotency_key="interaction-1",
)
first = await ops.create_transaction(gift)
again = await ops.create_transaction(gift)  # the same click once more moves nothing
print(first.id == again.id, (await ops.get_balance(GUILD, BO)).balance)  # True 125
