"""Just enough of discord.py to run a bot: run() calls setup_hook, each command twice, close()."""

import asyncio
from types import SimpleNamespace

from . import app_commands as app_commands
from . import ui as ui
from . import utils as utils


class Intents:
    @staticmethod
    def default():
        return Intents()


class Response:
    async def send_message(self, text, view=None, ephemeral=False):
        print(text)
        if view is not None:
            assert ephemeral
            await view.press(Interaction(0))

    async def edit_message(self, *, content, view):
        assert isinstance(view, ui.View)
        print(content)


class Interaction:
    def __init__(self, number):
        self.id = number
        self.guild_id = 81384788765712384
        self.user = SimpleNamespace(id=80351110224678912, name="ada")
        self.response = Response()


class Client:
    def __init__(self, *, intents):
        assert isinstance(intents, Intents)

    async def setup_hook(self):
        pass

    async def close(self):
        pass

    def run(self, token):
        async def main():
            # As discord.py does it: commands run in tasks that setup_hook did not start.
            await asyncio.create_task(self.setup_hook())
            for command in self.tree.commands:
                for number in (1, 2):
                    await asyncio.create_task(command(Interaction(number)))
            await self.close()

        asyncio.run(main())
