import bytes_squads
from bytes_squads import (
    BytesConfigUpdate,
    BytesOperations,
    BytesTransactionCreate,
    GuildOperations,
    SquadCreate,
    SquadOperations,
    SquadUpdate,
)

GUILD, ADA, BO = 1, 10, 20

await bytes_squads.init("sqlite://:memory:")
await bytes_squads.upgrade()
ops, squads, guilds = BytesOperations(), SquadOperations(), GuildOperations()
owls = await squads.create_squad(
    SquadCreate(guild_id=GUILD, role_id=7, name="Night Owls", switch_cost=60, max_members=5)
)
larks = await squads.create_squad(
    SquadCreate(guild_id=GUILD, role_id=8, name="Larks", switch_cost=20)
)
