"""Settings: values in layers, later layers before earlier ones, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from chatcli.errors import BadValue, ConfigError, UnknownSetting
from chatcli.hints import Do, Either, Hint, Words
from chatcli.paths import shown
from chatcli.settings import table
from chatcli.settings.setting import Refusal, Setting
from chatcli.settings.table import TABLE

if TYPE_CHECKING:
    from chatcli.settings.named_tables import Row

T = TypeVar("T")


# A key among the settings stored with a conversation: one of them names a file, and it was named on this machine.
# Older versions stored everything that an imported file said.
NAMED_HERE = "named_here"


class Layer(IntEnum):
    """PROFILE is one that a flag names, SWITCHED one that was taken up since."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    CONVERSATION = 3
    PROFILE = 4
    FLAG = 5
    SWITCHED = 6
    SET = 7
    ONE_MESSAGE = 8

    def __str__(self) -> str:
        return {
            Layer.DEFAULT: "default",
            Layer.FILE: "settings file",
            Layer.ENVIRONMENT: "environment",
            Layer.CONVERSATION: "conversation",
            Layer.PROFILE: "profile",
            Layer.FLAG: "flag",
            Layer.SWITCHED: "profile",
            Layer.SET: "set here",
            Layer.ONE_MESSAGE: "this message",
        }[self]


# Layers whose values are stored with a conversation.
_KEPT = [layer for layer in Layer if Layer.CONVERSATION <= layer <= Layer.SET]


def find_setting(name: str) -> Setting[Any]:
    """The setting of that name or alias; dashes and capitals do not matter. Raises UnknownSetting."""
    wanted = name.lower().replace("-", "_")
    known = {word: setting for setting in TABLE for word in (setting.name, *setting.aliases)}
    if wanted in known:
        return known[wanted]
    import difflib

    near = difflib.get_close_matches(wanted, known, n=1)
    lists = Hint(Either(Do("set"), Do("chatcli", help=True)), " lists every setting.")
    hint = f"Did you mean {known[near[0]].name}?" if near else lists
    raise UnknownSetting(f'There is no setting "{name}".', hint)


def not_loaded(refused: Sequence[Words]) -> Hint:
    """A note on the settings that `Settings.take_up` has refused; false when there are none."""
    names = [part for name in refused for part in (", ", name)]
    return Hint("Settings not loaded: ", *names[1:], ".") if names else Hint()


class Settings:
    """Typed access by the rows of the table: `settings[table.NUM_CTX]`.

    `profile`: the profile in use; `faults`: what of the settings file cannot be used.
    """

    def __init__(self) -> None:
        self._layers: dict[Layer, dict[str, Any]] = {layer: {} for layer in Layer}
        self._highest_first = tuple(reversed(self._layers.items()))
        self.profile: Row | None = None
        self.faults: tuple[ConfigError, ...] = ()

    def __getitem__(self, setting: Setting[T]) -> T:
        return self.up_to(setting, Layer.ONE_MESSAGE)

    def origin(self, setting: Setting[Any], highest: Layer = Layer.ONE_MESSAGE) -> Layer:
        """The layer that its value comes from, of those up to `highest`."""
        return self._found(setting, highest)[0]

    def up_to(self, setting: Setting[T], highest: Layer) -> T:
        """The value that it has without the layers above `highest`."""
        return self._found(setting, highest)[1]

    def _found(self, setting: Setting[T], highest: Layer) -> tuple[Layer, T]:
        name = setting.name
        for layer, values in self._highest_first:
            if name in values and layer <= highest:
                value: T = values[name]
                return layer, value
        return Layer.DEFAULT, setting.default

    def source(self, setting: Setting[Any]) -> str:
        """Where its value comes from, for a person."""
        origin = self.origin(setting)
        if origin in {Layer.PROFILE, Layer.SWITCHED} and self.profile is not None:
            return f"{origin} {self.profile.name}"
        return str(origin)

    def values(self) -> tuple[Any, ...]:
        """All values, in the order of the table."""
        return tuple(self[setting] for setting in TABLE)

    def written(self, setting: Setting[T]) -> str:
        """The value as it would be typed; "" where nothing is set."""
        return setting.kind.write(self[setting])

    def shown(self, setting: Setting[T]) -> str:
        """The same as it may be shown: without the password of an address."""
        return setting.kind.show(self.written(setting))

    def put(self, name: str, given: Any, layer: Layer) -> Setting[Any]:
        """Set `name` (or an alias) in that layer to `given`, typed text or a Python value.

        Raises UnknownSetting, BadValue.
        """
        setting = find_setting(name)
        try:
            self._layers[layer][setting.name] = setting.kind.take(given)
        except BadValue as error:
            source = f" ({setting.variable})" if layer is Layer.ENVIRONMENT else ""
            raise BadValue(f"{setting.name}{source}: {error.message}", setting.help) from None
        return setting

    def put_value(self, setting: Setting[T], value: T, layer: Layer) -> None:
        self._layers[layer][setting.name] = value

    def use_profile(self, profile: Row | None, layer: Layer) -> None:
        """Take up its settings in place of those of an earlier profile. In SWITCHED they replace also what was set
        before.
        """
        self._layers[Layer.PROFILE].clear()
        self._layers[Layer.SWITCHED].clear()
        self.profile = profile
        values = profile.values if profile is not None else {}
        for setting in TABLE:
            if setting.name in values:
                self.put_value(setting, values[setting.name], layer)
                if layer is Layer.SWITCHED:
                    self.remove(setting, Layer.SET)

    def unset(self, name: str) -> Setting[Any]:
        """Reset it to what the profile, the flags, the environment, the file or the default say."""
        setting = find_setting(name)
        for layer in (Layer.SET, Layer.CONVERSATION):
            self._layers[layer].pop(setting.name, None)
        return setting

    def remove(self, setting: Setting[Any], layer: Layer) -> None:
        self._layers[layer].pop(setting.name, None)

    def kept(self) -> dict[str, str]:
        """What to store with the conversation: the kept settings that differ from file and environment, and always
        its model and its window.
        """
        wanted = {table.MODEL.name, table.NUM_CTX.name}
        wanted.update(*(self._layers[layer] for layer in _KEPT))
        kept, names_file = dict[str, str](), False
        for setting in TABLE:
            if not (setting.kept and setting.name in wanted):
                continue
            value = self.up_to(setting, Layer.SET)
            if written := setting.kind.write(value):
                kept[setting.name] = written
                names_file = names_file or _names_file(setting, value)
        return kept | {NAMED_HERE: "yes"} if names_file else kept

    def take_up(self, kept: Mapping[str, str]) -> list[Words]:
        """Use the settings stored with a conversation; returns the names of those refused.

        Refused are settings that this version does not know or cannot read, and those that no conversation may
        set: an imported file may name any, the server's address, too.
        """
        self._layers[Layer.CONVERSATION].clear()
        if self._layers[Layer.SWITCHED]:
            self.profile = None
        for setting in TABLE:
            if setting.kept:
                self._layers[Layer.SET].pop(setting.name, None)
                self._layers[Layer.SWITCHED].pop(setting.name, None)
        refused: list[Words] = []
        for name, text in kept.items():
            left_out = self._taken_up(name, text, NAMED_HERE in kept) if name != NAMED_HERE else ""
            if left_out:
                refused.append(left_out)
        return refused

    def _taken_up(self, name: str, text: str, named_here: bool) -> Words:
        """Put it into the CONVERSATION layer and return ""; else return its name, with a reason if needed."""
        try:
            setting = find_setting(name)
            if not setting.kept:
                return name
            if _names_file(setting, setting.kind.read(text)) and not named_here:
                use = Do("set", setting.name, shown(text))
                return Hint(f"{setting.name} ({Refusal.FILE}", Hint("; to use that file: ", use), ")")
            self.put(name, text, Layer.CONVERSATION)
        except (UnknownSetting, BadValue):
            return name
        return ""

    def options(self) -> dict[str, Any]:
        """The request's `options`: every Ollama option that is set in any layer."""
        found = {setting.name: self[setting] for setting in TABLE if setting.option}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value is not None
        }


def _names_file(setting: Setting[Any], value: Any) -> bool:
    return setting.from_outside(value) is Refusal.FILE
