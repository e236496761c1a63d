"""The operations that a bot calls."""

from ..engine.connections import set_default_connection
from ..models import BytesBalance

# The engine knows no model; a host may have put ours on a connection of any name.
set_default_connection(lambda: BytesBalance._meta.default_connection)
