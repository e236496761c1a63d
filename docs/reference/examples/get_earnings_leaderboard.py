from datetime import UTC, datetime, timedelta

await ops.grant_many(GUILD, {ADA: 5, BO: 50})
await ops.claim_daily(GUILD, ADA)
for place in await ops.get_earnings_leaderboard(GUILD, datetime.now(UTC) - timedelta(days=7)):
    print(place.rank, place.user_id, place.balance)
# 1 20 50
# 2 10 15
