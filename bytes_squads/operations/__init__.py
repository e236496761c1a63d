"""The operations that a bot calls."""

from ..engine._tortoise import default_connection
from ..engine.connections import set_default_connection
from ..models import BytesBalance

# The engine does not import models; an application may use any connection name for them.
set_default_connection(lambda: default_connection(BytesBalance))
