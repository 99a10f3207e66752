"""Apache Kafka's jars for the lab: fetched once with Maven, from ``kafka.xml``, into the user's cache directory.

``python -m chaosday.lab.kafka_jars`` fetches them, and a stand that finds none does. Each has to have the digest that
stands in ``kafka.sha256``. Beside them stands what a formatted disk holds, which is the same for every broker.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosday.errors import CapabilityMissing
from chaosday.processes.login import cache_folder
from chaosday.processes.turns import taken_in_turn
from chaosday.progress import Step, listening, say
from chaosday.servers.server import program

POM = Path(__file__).with_name("kafka.xml")
DIGESTS = Path(__file__).with_name("kafka.sha256")
CLUSTER = "Y2hhb3NkYXktbGFiLTAwMQ"
CHECKPOINT = "bootstrap.checkpoint"
FETCH_S, FORMAT_S = 900, 180


def folder() -> Path:
    """Where they are, fetched if they are not yet there; ``CapabilityMissing`` says what is to be installed."""
    name = hashlib.sha256(POM.read_bytes() + DIGESTS.read_bytes()).hexdigest()[:12]
    place = cache_folder() / f"kafka-{name}"
    if (place / CHECKPOINT).exists():
        return place
    program("java", "openjdk-17-jre-headless")
    maven = program("mvn", "maven")
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.with_suffix(".lock")):
        if not (place / CHECKPOINT).exists():
            shutil.rmtree(place, ignore_errors=True)
            _fetch(maven, place)
    return place


def java(place: Path, *words: str) -> list[str]:
    """The command of a Java program out of these jars, with little memory and a quick start."""
    options = ["-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:disable", "-Xlog:all=off"]
    # The jars have been compared with their digests: that their code is well formed need not be shown at every start.
    options += [
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:-BytecodeVerificationRemote",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
    ]
    jars = ":".join(str(jar) for jar in sorted(place.glob("*.jar")))
    return [program("java", "openjdk-17-jre-headless"), *options, "-cp", jars, *words]


def digests(place: Path) -> str:
    """Each jar with its digest, as ``sha256sum`` writes it."""
    listed = sorted(place.glob("*.jar"))
    return "".join(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in listed)


def _fetch(maven: str, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as directory:
        made = Path(directory) / "made"
        shutil.copy(POM, Path(directory) / "pom.xml")
        command = [maven, "-q", "-B", "-C", "dependency:copy-dependencies", f"-DoutputDirectory={made}"]
        _say(f"fetching Kafka's jars with Maven, once, into {place}")
        done = _ran(command, FETCH_S, "Maven did not fetch Kafka's jars", cwd=directory)
        if done.returncode:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["it said nothing"]
            raise CapabilityMissing(f"Kafka's jars could not be fetched with Maven: {last[0][:200]}")
        if digests(made) != DIGESTS.read_text():
            raise CapabilityMissing(f"Kafka's jars are not those of {DIGESTS.name}: nothing of them is run")
        _prepare(made)
        made.rename(place)


def _prepare(made: Path) -> None:
    """Format a disk once, and keep the features that it is given."""
    settings, disk = made / "format.properties", made / "disk"
    settings.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n"
        "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
        f"controller.quorum.voters=1@127.0.0.1:9093\nlog.dirs={disk}\n"
    )
    command = java(made, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings))
    done = _ran(command, FORMAT_S, "Kafka did not format a disk")
    if done.returncode:
        raise CapabilityMissing(f"Kafka cannot format a disk: {done.stderr.strip()[-200:]}")
    (disk / CHECKPOINT).rename(made / CHECKPOINT)
    shutil.rmtree(disk)
    settings.unlink()


def _say(words: str) -> None:
    say(Step("", "preflight", words))


def _ran(command: list[str], limit_s: float, words: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    """What a command came to; ``CapabilityMissing`` where it takes longer than that."""
    try:
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=limit_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise CapabilityMissing(
            f"{words} within {limit_s:g} s; python -m chaosday.lab.kafka_jars tries again"
        ) from None


@contextmanager
def _alone(lock: Path, limit_s: float = FETCH_S + FORMAT_S) -> Iterator[None]:
    """One process at a time; ``CapabilityMissing`` where another one takes longer than it may."""
    with lock.open("w") as held:
        if not taken_in_turn(
            held.fileno(), limit_s, lambda: _say("waiting for another process that fetches Kafka's jars")
        ):
            raise CapabilityMissing(
                f"another process holds {lock} for more than {limit_s:g} s: end it if it stands still"
            )
        yield


if __name__ == "__main__":
    began = time.monotonic()
    with listening(lambda step: print(step.words, file=sys.stderr)):
        sys.stdout.write(f"{folder()} in {time.monotonic() - began:.0f} s\n")
