"""One lab for the whole test run, and victims lent from it: each to one test at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from chaosday.targets.ssh_host import SshHost
from tests.lab import machine, registry
from tests.lab.hosts import Lab, LabHost

WORKER = r"""
import json, os, socket, time
tries = 0
while True:
    said = {}
    try:
        with open("/srv/work/seen", "w") as file:
            file.write("x")
            file.flush()
            began = time.monotonic()
            os.fsync(file.fileno())
            said["fsync_ms"] = (time.monotonic() - began) * 1000
    except OSError as error:
        said["error"] = error.errno
    os.write(3, (json.dumps(said) + "\n").encode())
    time.sleep(0.01)
"""
ECHO = r"""
import socket, threading
server = socket.create_server(("0.0.0.0", 8000), backlog=128)
def serve(connection):
    try:
        while data := connection.recv(65536):
            connection.sendall(data)
    except OSError:
        pass
    connection.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
SERVICE = r"""#!/bin/sh
case $1 in
start) setsid sleep 987654 </dev/null >/dev/null 2>&1 & echo $! > /run/labd.pid ;;
stop) kill "$(cat /run/labd.pid)" && rm -f /run/labd.pid ;;
restart) "$0" stop; "$0" start ;;
status) [ -e /run/labd.pid ] && kill -0 "$(cat /run/labd.pid)" ;;
esac
"""
SETUP = f"""
cat > /etc/init.d/labd <<'END'
{SERVICE}END
chmod 755 /etc/init.d/labd
cat > /srv/worker.py <<'END'
{WORKER}END
cat > /srv/echo.py <<'END'
{ECHO}END
mkdir -p /srv/work
mkdir -p /etc/chaosday-lab
echo +0 > /etc/chaosday-lab/faketime
rm -f /etc/resolv.conf
echo 'nameserver @PEER@' > /etc/resolv.conf
"""
STARTED = """
for c in cpu cpuacct cpuset memory blkio; do
    mkdir -p /sys/fs/cgroup/$c/work
    [ ! -e /sys/fs/cgroup/$c/work/cpuset.mems ] || {
        cat /sys/fs/cgroup/$c/cpuset.cpus > /sys/fs/cgroup/$c/work/cpuset.cpus
        cat /sys/fs/cgroup/$c/cpuset.mems > /sys/fs/cgroup/$c/work/cpuset.mems
    }
done
touch /srv/data/.chaosday-scratch
stat -c %d /srv/data > /srv/disk
/etc/init.d/labd start
setsid /usr/bin/python3 /srv/worker.py 3>/srv/worker.log </dev/null >/dev/null 2>&1 &
"""


class Pool:
    """Victims with one peer for all: an echo server on port 8000 and a name server that knows ``db.lab``."""

    def __init__(self) -> None:
        self._lab = Lab()
        self._lab.__enter__()
        registry.share(self.close)
        self.peer = self._lab.start(disk_mb=0, setup=SETUP.replace("@PEER@", "127.0.0.1"))
        self._servers = [
            self.peer.spawn("exec /usr/bin/python3 /srv/echo.py"),
            self.peer.spawn(
                "exec dnsmasq -k --no-resolv --no-hosts --address=/db.lab/198.18.9.9 "
                f"--listen-address={self.peer.address} --bind-interfaces --pid-file=/run/dnsmasq.pid"
            ),
        ]
        self._free: list[LabHost] = []
        self._changed = threading.Condition()
        self.peer.run("until grep -qi ':1F40 ' /proc/net/tcp && grep -qi ':0035 ' /proc/net/udp; do sleep 0.01; done")

    @contextlib.contextmanager
    def victim(self) -> Iterator[LabHost]:
        """A host that nobody else uses meanwhile; it comes back as it was, or the test that broke it has failed."""
        host = self._take()
        try:
            yield host
        finally:
            with self._changed:
                self._free.append(host)
                self._changed.notify()

    def target(self, host: LabHost, **fields: object) -> SshHost:
        """How chaosday reaches a host of this lab."""
        login = {"known_hosts": str(host.known_hosts), "key_file": str(host.key), "agent": False}
        return SshHost.model_validate({"host": host.address, **login, **fields})

    def host_at(self, address: str) -> LabHost | None:
        """The host of that address."""
        return next((host for host in self._lab.hosts.values() if host.address == address), None)

    def cut_control(self) -> None:
        """Cut this machine off from every host of the pool."""
        self._lab.cut_control()

    def restore_control(self) -> None:
        """The end of that."""
        self._lab.restore_control()

    def close(self) -> None:
        """Take everything down; any number of times."""
        for server in self._servers:
            server.kill()
            server.wait()
            if server.stdout:
                server.stdout.close()
        self._servers = []
        if self._lab.hosts:
            self._lab.__exit__(None, None, None)

    def _take(self) -> LabHost:
        with self._changed:
            while not self._free and len(self._lab.hosts) >= 9:
                self._changed.wait(120)
            if self._free:
                return self._free.pop()
            host = self._lab.start(disk_mb=48, setup=SETUP.replace("@PEER@", self.peer.address))
            host.run(STARTED)
            return host


_made: list[Pool] = []
_making = threading.Lock()


def pool() -> Pool:
    """The lab of this test run, started when it is first asked for; skips where there can be none."""
    machine.need_lab()
    with _making:
        if not _made:
            _made.append(Pool())
        return _made[0]
