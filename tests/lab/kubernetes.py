"""A real Kubernetes of one node for tests, in namespaces of its own (network, mounts, processes).

Needs root, the packages of ``apt-packages-kubernetes.txt``, and kube-apiserver, kube-controller-manager,
kube-scheduler and kubelet under ``CHAOSDAY_K8S_LAB`` (as programs, or compressed as ``NAME.zst``). All
of it ends with the first process of the process namespace; rules, bridges and mounts go with theirs.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.lab.images import busybox_image
from tests.lab.registry import registered

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
NEEDS = ("etcd", "containerd", "ctr", "runc", "openssl", "ip", "iptables", "nsenter", "unshare", "busybox")
NEEDS += ("kubectl", "dnsmasq", "nft")
HOST, NODE, POD_GATEWAY = "198.18.64.1", "198.18.64.2", "198.18.65.1"
IMAGE, PAUSE, HELPER = "lab.local/busybox:1", "lab.local/pause:3", "lab.local/helper:1"
API = f"https://{NODE}:16443"


def unavailable() -> str:
    """Why this machine cannot run the lab; empty if it can."""
    where = os.environ.get("CHAOSDAY_K8S_LAB", "")
    if not where:
        return "CHAOSDAY_K8S_LAB is not set: no Kubernetes programs"
    missing = [name for name in PROGRAMS if not any((Path(where) / f"{name}{end}").exists() for end in ("", ".zst"))]
    missing += [name for name in NEEDS if shutil.which(name) is None]
    if missing:
        return f"not found: {', '.join(missing)}"
    return "" if os.geteuid() == 0 else "needs root"


class KubernetesLab:
    """The cluster while it runs; ``kubeconfig`` leads to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kubeconfig = directory / "kubeconfig"
        self.programs = _unpacked(directory)
        self.token = secrets.token_hex(16)
        self.link = f"ck{secrets.token_hex(3)}"
        self._holder: subprocess.Popen[bytes] | None = None
        self._inner = 0
        self.pids: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self._namespaces()
        self._keys()
        self._start_control_plane()
        self._start_node()
        self._start_names()
        self._wait("node", lambda: '"Ready"' in self._get("/api/v1/nodes/n0") and self._node_ready())

    def stop(self) -> None:
        """End everything: the first process of the namespace takes all others with it."""
        for process in self.pids.values():
            process.kill()
        if self._inner:
            with suppress(ProcessLookupError):
                os.kill(self._inner, signal.SIGKILL)
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
        for process in self.pids.values():
            process.wait()
        clear(self.link)

    def inside(self, *command: str) -> list[str]:
        """The command that runs ``command`` in the lab's namespaces."""
        return ["nsenter", f"--target={self._inner}", "--mount", "--net", "--pid", "--", *command]

    def _namespaces(self) -> None:
        init = "mount --make-rshared /; ip link set lo up; sleep infinity & while :; do wait; done"
        isolated = "unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc sh -c"
        self._holder = subprocess.Popen([*isolated.split(), init], stdout=subprocess.DEVNULL)
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self._wait("namespaces", lambda: bool(children.read_text().split()))
        self._inner = int(children.read_text().split()[0])
        for command in (
            f"ip link add {self.link} type veth peer name up0 netns {self._inner}",
            f"ip addr add {HOST}/30 dev {self.link}",
            f"ip link set {self.link} up",
        ):
            subprocess.run(command.split(), check=True)
        for command in (f"ip addr add {NODE}/30 dev up0", "ip link set up0 up", f"ip route add default via {HOST}"):
            subprocess.run(self.inside(*command.split()), check=True)

    def _keys(self) -> None:
        folder = self.directory
        for command in (
            f"openssl genrsa -out {folder}/sa.key 2048",
            f"openssl rsa -in {folder}/sa.key -pubout -out {folder}/sa.pub",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        cluster = {"name": "lab", "cluster": {"server": API, "insecure-skip-tls-verify": True}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
            "current-context": "lab",
        }
        self.kubeconfig.write_text(json.dumps(config))

    def _start_control_plane(self) -> None:
        folder = self.directory
        etcd, peer = "http://127.0.0.1:12379", "http://127.0.0.1:12380"
        self._run(
            "etcd", "etcd", f"--data-dir={folder}/etcd", f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )  # fmt: skip
        self._run(
            "apiserver", self.programs["kube-apiserver"], f"--etcd-servers={etcd}", "--bind-address=0.0.0.0",
            "--secure-port=16443", f"--cert-dir={folder}/pki", f"--service-account-key-file={folder}/sa.pub",
            f"--service-account-signing-key-file={folder}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=Node,RBAC", f"--advertise-address={NODE}",
            "--service-cluster-ip-range=198.18.128.0/24", "--allow-privileged=true",
            "--feature-gates=EphemeralContainers=true",
            "--endpoint-reconciler-type=none", "--kubelet-preferred-address-types=InternalIP",
        )  # fmt: skip
        self._wait("apiserver", lambda: self._get("/readyz") == "ok")
        config = f"--kubeconfig={self.kubeconfig}"
        self._run(
            "controller-manager", self.programs["kube-controller-manager"], config, "--leader-elect=false",
            f"--service-account-private-key-file={folder}/sa.key", f"--root-ca-file={folder}/pki/apiserver.crt",
            "--controllers=*,-ttl,-csrsigning",
            "--pod-eviction-timeout=10s", "--node-monitor-grace-period=12s", f"--cert-dir={folder}/pki-cm",
        )  # fmt: skip
        certificates = f"--cert-dir={folder}/pki-s"
        self._run("scheduler", self.programs["kube-scheduler"], config, "--leader-elect=false", certificates)

    def _start_node(self) -> None:
        folder = self.directory / "containerd"
        (folder / "cni").mkdir(parents=True)
        (folder / "config.toml").write_text(_CONTAINERD.format(folder=folder, pause=PAUSE))
        (folder / "cni" / "10-lab.conflist").write_text(json.dumps(_network(folder)))
        socket = folder / "c.sock"
        self._run("containerd", "containerd", "-c", str(folder / "config.toml"))
        self._wait("containerd", socket.exists)
        kubectl = Path(shutil.which("kubectl") or "")
        for name, tag, extra in (
            ("pause.tar", PAUSE, []),
            ("busybox.tar", IMAGE, []),
            ("helper.tar", HELPER, [kubectl]),
        ):
            busybox_image(self.directory / name, tag, *extra)
            command = self.inside(
                "ctr", "-a", str(socket), "-n", "k8s.io", "images", "import", str(self.directory / name)
            )
            self._wait(
                tag, lambda command=command: subprocess.run(command, capture_output=True, check=False).returncode == 0
            )
        config = self.directory / "kubelet.json"
        config.write_text(json.dumps(_KUBELET))
        # The API server reaches its services by their names; a kubelet needs a name for its own node only.
        self._run(
            "kubelet", self.programs["kubelet"], f"--config={config}", f"--kubeconfig={self.kubeconfig}",
            f"--root-dir={self.directory}/kubelet", "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{socket}", f"--image-service-endpoint=unix://{socket}",
            "--hostname-override=n0", f"--node-ip={NODE}", f"--cert-dir={self.directory}/pki-k",
            f"--pod-infra-container-image={PAUSE}",
        )  # fmt: skip

    def _start_names(self) -> None:
        """A name server for the pods: what it does not know it refuses, which is an answer."""
        self._run(
            "dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--user=root", f"--pid-file={self.directory}/dnsmasq.pid", f"--address=/cluster.local/{POD_GATEWAY}",
        )  # fmt: skip

    def _run(self, name: str, *command: object) -> None:
        with (self.directory / f"{name}.log").open("wb") as log:
            self.pids[name] = subprocess.Popen(self.inside(*map(str, command)), stdout=log, stderr=log)

    def _node_ready(self) -> bool:
        conditions = json.loads(self._get("/api/v1/nodes/n0"))["status"]["conditions"]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _get(self, path: str) -> str:
        request = urllib.request.Request(API + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=2, context=ssl._create_unverified_context()) as answer:
            return str(answer.read().decode())

    def _wait(self, what: str, ready: object, timeout_s: float = 400) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(OSError, KeyError, urllib.error.URLError):
                if ready():  # type: ignore[operator]
                    return
            ended = [name for name, process in self.pids.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{what} is not ready; ended: {ended}; logs in {self.directory}")
            time.sleep(0.1)


@contextmanager
def kubernetes_lab(directory: Path) -> Iterator[KubernetesLab]:
    """Start the cluster; it ends with the block."""
    lab = KubernetesLab(directory)
    with registered(f"cluster behind {lab.link}", sys.executable, "-m", "tests.lab.kubernetes", lab.link):
        try:
            lab.start()
            yield lab
        finally:
            lab.stop()


def clear(link: str) -> None:
    """Take away what a dead cluster leaves outside of its namespaces: its link, and names that nothing is behind."""
    subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
    _remove_cgroups()
    _remove_stale_namespaces()


def _unpacked(directory: Path) -> dict[str, Path]:
    where = Path(os.environ["CHAOSDAY_K8S_LAB"])
    found = {}
    for name in PROGRAMS:
        program = where / name
        if not program.exists():
            # A folder of their own: kubelet's root directory is called kubelet, too.
            program = directory / "programs" / name
            program.parent.mkdir(exist_ok=True)
            subprocess.run(["zstd", "-q", "-d", "-f", where / f"{name}.zst", "-o", program], check=True)
            program.chmod(0o755)
        found[name] = program
    return found


def _remove_cgroups() -> None:
    for folder in (*Path("/sys/fs/cgroup").glob("*/kubepods"), *Path("/sys/fs/cgroup").glob("*/k8s.io")):
        for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                inner.rmdir()
        with suppress(OSError):
            folder.rmdir()


def _remove_stale_namespaces() -> None:
    """What the network plugin named in /run/netns; its namespaces went with the lab's mounts, the names did not."""
    for name in Path("/run/netns").glob("cni-*"):
        if not name.is_mount():
            with suppress(OSError):
                name.unlink()


def _network(folder: Path) -> dict[str, object]:
    addresses = {"subnet": "198.18.65.0/24", "rangeStart": "198.18.65.10", "rangeEnd": "198.18.65.250"}
    bridge = {
        "type": "bridge",
        "bridge": "ckbr0",
        "isGateway": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": f"{folder}/ipam",
            "ranges": [[{**addresses, "gateway": POD_GATEWAY}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge]}


_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "cgroupDriver": "cgroupfs",
    "cgroupsPerQOS": True,
    "enforceNodeAllocatable": [],
    "failSwapOn": False,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "featureGates": {"EphemeralContainers": True},
    "evictionHard": {"memory.available": "10Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    "imageGCHighThresholdPercent": 100,
    "nodeStatusUpdateFrequency": "2s",
    "syncFrequency": "2s",
    "address": NODE,
    "resolvConf": "/etc/resolv.conf",
}

_CONTAINERD = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "{folder}/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""


if __name__ == "__main__":
    clear(sys.argv[1])
