"""Just enough of discord.ui for a message with buttons."""


class Button:
    """A button; as an item of a class, its type can have a parameter."""

    disabled = False

    def __init__(self, callback):
        self.callback = callback

    def __class_getitem__(cls, _):
        return cls


def button(*, label):
    assert label
    return Button


class View:
    def __init__(self, *, timeout):
        assert timeout

    async def press(self, interaction):
        """Press each button that can be pressed."""
        for each in [item for item in vars(type(self)).values() if isinstance(item, Button)]:
            if not each.disabled:
                await each.callback(self, interaction, each)
