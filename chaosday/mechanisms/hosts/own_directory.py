"""A directory of ours in a place that may be somebody else's: known by its inode, and nobody else comes in.

Whoever owns the place can exchange a name at any moment. A directory that is ours they can call otherwise in the same
place, but not enter, move elsewhere (for that the kernel wants the right to write it) nor remove with something in it.
So all work is done from within, after a look at whose it is, and it is found again by its inode.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote


@dataclass(frozen=True)
class OwnDirectory:
    """The directory ``.chaosday-LEASE`` below ``place``."""

    place: str
    lease_id: str

    @property
    def note(self) -> str:
        """Where its inode is kept; /run is root's."""
        return f"/run/chaosday-{self.lease_id}.directory"

    def make(self) -> str:
        """Shell text that makes it and makes it the current one."""
        path = quote(f"{self.place.rstrip('/')}/.chaosday-{self.lease_id}")
        return (
            f"mkdir -m 700 {path} && cd -P {path} || exit 1\n"
            # Most shells can tell by themselves.
            '[ -O . ] 2>/dev/null || [ "$(stat -c %u .)" = "$(id -u)" ] || '
            '{ echo "the directory was exchanged" >&2; exit 1; }\n'
            f"stat -c %i . >{self.note} || exit 1\n"
        )

    def take_away(self) -> str:
        """Shell text that removes it under whatever name, any number of times; fails if it is still there."""
        return (
            f"if [ -e {self.note} ]; then\n"
            # What find says of itself is of no use: beside us others make directories here, and take them away.
            f"    {self._find()} -exec rm -rf {{}} + 2>/dev/null\n"
            f'    [ -z "$({self._find()} -exec echo there {{}} + 2>/dev/null)" ] || exit 1\n'
            f"    rm -f {self.note}\nfi\n"
            # Killed between the making and the note.
            f"cd {quote(self.place)} && rmdir ./.chaosday-{self.lease_id} 2>/dev/null\n"
            f"[ ! -d {quote(self.place)}/.chaosday-{self.lease_id} ] || exit 1\n"
        )

    def residue(self) -> str:
        """Shell text that prints a line while it is there, whatever it is called by now."""
        plain = quote(f"{self.place.rstrip('/')}/.chaosday-{self.lease_id}")
        return (
            f"if [ -e {self.note} ]; then {self._find()} -exec echo directory {{}} +; echo note {self.note}\n"
            f"elif [ -e {plain} ]; then echo directory {plain}; fi\n"
        )

    def _find(self) -> str:
        place = quote(f"{self.place.rstrip('/')}/.")
        return f'find {place} ! -name . -prune -type d -inum "$(cat {self.note})" -user "$(id -u)"'
