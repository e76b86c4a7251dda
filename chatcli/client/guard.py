"""Guard: a person may name an address of their own network. A model may not, and a public server may not redirect
there.
"""

from __future__ import annotations

from collections.abc import Callable

from chatcli.client import hosts
from chatcli.errors import BadFile
from chatcli.hints import Do, Hint


class Guard:
    """Judges every host of one fetch before anything is sent to it. `private` judges an IP address, `look_up`
    gives the addresses of a host name.

    Without a proxy, the address connected to is judged, because the name may resolve differently each time. A
    proxy resolves names itself: there the name is looked up here first, and a name that is not found here must be
    a plain name of the internet. A host that does not redirect is never looked up: perhaps only the proxy is meant
    to know its name. `from_model`: the first address comes from outside as well.
    """

    def __init__(
        self,
        name: str,
        private: Callable[[str], bool],
        look_up: Callable[[str], list[str]] = hosts.look_up,
        from_model: bool = False,
    ) -> None:
        self._name = name
        self._private = private
        self._look_up = look_up
        self._from_model = self._was_public = from_model
        self._asked: list[str] = []

    def connected(self, ip: str) -> None:
        """Called when connected to that address without a proxy. Raises BadFile."""
        if not self._private(ip):
            self._was_public = True
        elif self._comes_from_outside():
            raise self._refusal()

    def through_proxy(self, host: str) -> None:
        """Called before a proxy is asked for that host. Raises BadFile."""
        if host in self._asked:
            return
        led = self._was_public or bool(self._asked)
        if led and self._may_be_inside(host) and self._comes_from_outside():
            raise self._refusal()
        self._asked.append(host)

    def _comes_from_outside(self) -> bool:
        return self._was_public or not all(self._is_inside(host) for host in self._asked)

    def _may_be_inside(self, host: str) -> bool:
        if hosts.is_written_plainly(host):
            return self._private(host.strip("[]"))
        if not hosts.is_plain(host):
            return True
        return any(self._private(ip) for ip in self._look_up(host) or hosts.numbers_in(host))

    def _is_inside(self, host: str) -> bool:
        if ip := hosts.number(host):
            return self._private(str(ip))
        if hosts.is_own_name(host):
            return True
        found = self._look_up(host)
        return bool(found) and all(self._private(ip) for ip in found)

    def _refusal(self) -> BadFile:
        if self._from_model:
            return BadFile(
                f"{self._name} is, or leads to, an address of the user's own network: no model may have it.",
                Hint("Attach it yourself if you mean it: ", Do("file", self._name)),
            )
        return BadFile(
            f"{self._name} sends us on to an address of your own network: that is not followed.",
            "Give that address itself if you mean it.",
        )
