"""What OpenSSH's known_hosts says of one host: its keys, the authorities that may vouch for it, and what is revoked.

Lines that nobody could read are skipped, as ssh does, and named to whoever is refused. Format: sshd(8), SSH_KNOWN_HOSTS
FILE FORMAT; certificates: PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path
from re import match
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

_OF_A_HOST = 2


@dataclass
class Known:
    """Keys of one host; ``skipped`` says which lines of the files could not be read."""

    paths: Sequence[Path]
    keys: list[paramiko.PKey] = field(default_factory=list)
    authorities: list[paramiko.PKey] = field(default_factory=list)
    revoked: list[paramiko.PKey] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The files, for a sentence."""
        return " or ".join(map(str, self.paths))


def known_for(paths: Sequence[Path], name: str) -> Known:
    """What the files say of ``name`` (``host``, ``[host]:port`` or an alias); nothing where there are none."""
    known = Known(paths)
    for path in paths:
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            continue
        _read(lines, path, name, known)
    return known


def _read(lines: Sequence[bytes], path: Path, name: str, known: Known) -> None:
    """Put what one file says where it belongs."""
    places = {"@cert-authority": known.authorities, "@revoked": known.revoked, "": known.keys}
    for number, raw in enumerate(lines, 1):
        words = raw.decode(errors="replace").split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        try:
            if _matches(words[0], name):
                places[marker].append(_key(words[1], words[2]))
        except (LookupError, ValueError):
            known.skipped.append(f"line {number} of {path} cannot be read")


def vouched(key: paramiko.PKey, name: str, authorities: list[paramiko.PKey]) -> bool:
    """Whether the host's key came with a certificate for ``name``, valid now, that one of the authorities signed."""
    import paramiko

    blob = getattr(key.public_blob, "key_blob", b"")
    if not blob or not authorities:
        return False
    said = paramiko.Message(blob)
    kind = said.get_text()
    said.get_string()  # the nonce
    for _ in range({"ssh-rsa": 2, "ecdsa": 2}.get(kind.split("-cert-")[0].split("-sha2")[0], 1)):
        said.get_string()  # the key itself
    said.get_int64()  # the serial number
    of, _ = said.get_int(), said.get_string()
    names = _strings(said.get_string())
    after, before = said.get_int64(), said.get_int64()
    critical, _, _ = said.get_string(), said.get_string(), said.get_string()
    signer, signed = said.get_string(), blob[: len(blob) - len(said.get_remainder())]
    signature = paramiko.Message(said.get_string())
    return (
        of == _OF_A_HOST
        and any(_matches(each, name) for each in names)
        and after <= time.time() < before
        and not critical
        and any(each.asbytes() == signer and each.verify_ssh_sig(signed, signature) for each in authorities)
    )


def _strings(blob: bytes) -> list[str]:
    import paramiko

    said, found = paramiko.Message(blob), []
    while said.get_remainder():
        found.append(said.get_text())
    return found


def _matches(patterns: str, name: str) -> bool:
    """Whether a list of patterns, or one hash, stands for the name; ``ValueError`` for a hash that is none."""
    if patterns.startswith("|"):
        _, method, salt, digest = patterns.split("|")
        wanted = hmac.new(base64.b64decode(salt, validate=True), name.encode(), "sha1").digest()
        return method == "1" and hmac.compare_digest(wanted, base64.b64decode(digest, validate=True))
    found = False
    for pattern in patterns.split(","):
        # Brackets are no set of letters here: they hold the name where there is a port.
        plain = pattern.removeprefix("!").replace("[", "[[]").lower()
        if match(translate(plain), name.lower()):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _key(kind: str, text: str) -> paramiko.PKey:
    import paramiko

    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(text, validate=True))
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, IndexError) as error:
        raise ValueError(str(error)) from None
