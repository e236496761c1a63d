class CommandTree:
    def __init__(self, client):
        self.commands = []

    def command(self, *, description):
        def add(callback):
            self.commands.append(callback)
            return callback

        return add

    async def sync(self):
        pass


def guild_only():
    return lambda callback: callback
