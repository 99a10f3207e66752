"""The block for a host reached over SSH."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, SecretStr

from blocks.target_block import TargetBlock
from chaosday.model.target import Shell, Target
from chaosday.targets.ssh_host import SshHost
from chaosday.undo.lease import ROOT_STATE_DIR


class SSHHost(TargetBlock):
    """A host, the account that experiments use on it, and how its key is known.

    Faults of whole hosts need root: log in as root, or let the account use sudo.
    """

    _model: ClassVar[type[Target]] = SshHost
    _block_type_name = "chaosday SSH host"
    _block_type_slug = "chaosday-ssh-host"
    _description = "A host that experiments may hurt over SSH, and give back."

    host: str = Field(default="", description="Name, address, or a Host of the worker's ~/.ssh/config")
    port: int = Field(default=0, ge=0, le=65_535, description="0: what the worker's ~/.ssh/config says, else 22")
    user: str = Field(default="", description="root, or somebody who may use sudo; empty: as ~/.ssh/config, else root")
    jump: str = Field(default="", description="[user@]host[:port] to go through")
    known_hosts: str = Field(default="", description="The worker's file of known host keys, where not the usual one")
    ssh_config: str = Field(default="~/.ssh/config", description="OpenSSH's configuration; empty: none is read")
    agent: bool = Field(default=True, description="Ask the worker's SSH agent for keys")
    key_file: str = Field(default="", description="A private key on the worker")
    key_text: SecretStr | None = Field(default=None, title="Private key", description="Where it is kept here instead")
    key_passphrase: SecretStr | None = Field(default=None, title="Passphrase of the key")
    password: SecretStr | None = Field(default=None, title="Password", description="Only where no key will do")
    sudo_password: SecretStr | None = Field(
        default=None, title="Password for sudo", description="Empty where sudo asks for none"
    )
    process_pattern: str = Field(default="", description="Extended regular expression: the processes that may be hurt")
    state_dir: str = Field(default=ROOT_STATE_DIR, description="Where leases are kept; has to survive a reboot")

    def may_touch(self, target: Any) -> str:
        """Root is needed for most faults, a watcher for every lease."""
        said = target.capability(Shell).run("id -u; command -v setsid", sudo=True)
        uid, *setsid = said.out.split() or ["?"]
        if uid != "0":
            return f"reached, but {self.user or 'the account'} cannot become root: allow it sudo, or log in as root"
        return "ready" if setsid else "reached, but it has no setsid, without which no lease ends by itself: util-linux"
