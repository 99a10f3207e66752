"""``chaosday http-proxy``: the fault proxy before an HTTP service or an AWS-compatible endpoint."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from chaosday.errors import Unavailable, UsageError
from chaosday.reporting.terminal import say

if TYPE_CHECKING:
    from chaosday.mechanisms.http_proxy.lab_certificate import LabCertificate


@click.command("http-proxy", short_help="A fault proxy before an HTTP service or an AWS-compatible endpoint.")
@click.option("--control", type=click.Path(path_type=Path), default=Path("http-proxy.sock"), help="Its control socket.")
@click.option("--route", "routes", multiple=True, required=True, metavar="NAME=URL", help="Where it leads.")
@click.option("--listen", "listens", multiple=True, metavar="NAME=HOST:PORT", help="Where clients connect.")
@click.option("--authority", type=click.Path(path_type=Path), help="Certificates of a private authority, for https.")
@click.option("--tls", is_flag=True, help="Clients speak TLS, to a certificate of an authority made for this run.")
@click.option("--certificate", type=click.Path(path_type=Path), help="Clients speak TLS, to this certificate (PEM).")
@click.option("--key", type=click.Path(path_type=Path), help="The certificate's key, if it is in a file of its own.")
def command(
    control: Path,
    routes: tuple[str, ...],
    listens: tuple[str, ...],
    authority: Path | None,
    tls: bool,
    certificate: Path | None,
    key: Path | None,
) -> None:
    """Run the proxy until stopped by a signal. Faults are put on its routes by experiments (target http_route)."""
    from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
    from chaosday.mechanisms.proxy.sockets import too_few

    wanted = dict(_pair(word) for word in routes)
    places = dict(_pair(word) for word in listens)
    if strange := sorted(places.keys() - wanted.keys()):
        raise UsageError(f"--listen {strange[0]}: no route is called so; there are {', '.join(sorted(wanted))}")
    if (tls and certificate is not None) or (key is not None and certificate is None):
        raise UsageError("give --tls for a certificate made here, or --certificate, and --key if that is elsewhere")
    control.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as ends:
        if tls:
            made = _lab(ends, control, [*wanted.values(), *places.values()])
            certificate, key = made.certificate_file, made.key_file
        proxy = ends.enter_context(HttpProxyProcess.start(control))
        for name, url in wanted.items():
            listen = places.get(name, "127.0.0.1:0")
            said = proxy.add_route(
                name,
                url,
                listen=listen,
                authority_file=str(authority or ""),
                certificate_file=str(certificate or ""),
                key_file=str(key or ""),
            )
            say(f"{name}: {'https://' if certificate is not None else ''}{said} -> {url}")
        if few := too_few(proxy.at_most_connections()):
            say(few)
        say(f"control socket: {proxy.control}")
        proxy.wait()
        raise Unavailable("the proxy ended by itself; clients that go by it reach nothing now. Start it again")


def _lab(ends: contextlib.ExitStack, control: Path, places: Iterable[str]) -> LabCertificate:
    """A certificate for every host that is named, in a folder beside the control socket that goes with the proxy."""
    from chaosday.mechanisms.http_proxy.lab_certificate import lab_certificate

    folder = Path(tempfile.mkdtemp(prefix=f"{control.name}.tls-", dir=control.parent))
    ends.callback(shutil.rmtree, folder, ignore_errors=True)
    hosts = (urlsplit(place if "//" in place else f"//{place}").hostname for place in places)
    made = lab_certificate(folder, [host for host in hosts if host])
    say(f"clients trust: {made.authority_file} (curl --cacert, SSL_CERT_FILE, AWS_CA_BUNDLE)")
    return made


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name or not value:
        raise UsageError("an option is not NAME=VALUE: a route is name=http://host:port, a place name=host:port")
    return name, value
