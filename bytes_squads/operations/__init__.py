"""The operations that a bot calls."""

from ..engine._tortoise import default_connection
from ..engine.connections import set_default_connection
from ..models import BytesBalance

# The engine knows no model; a host may have put ours on a connection of any name.
set_default_connection(lambda: default_connection(BytesBalance))
