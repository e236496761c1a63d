"""``python -m bytes_squads`` is ``bytes-squads``."""

from .cli import main

main()
