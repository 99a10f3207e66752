"""``chaosday http-proxy``: the fault proxy before an HTTP service or an AWS-compatible endpoint."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.errors import Unavailable, UsageError
from chaosday.reporting.terminal import say


@click.command("http-proxy", short_help="A fault proxy before an HTTP service or an AWS-compatible endpoint.")
@click.option("--control", type=click.Path(path_type=Path), default=Path("http-proxy.sock"), help="Its control socket.")
@click.option("--route", "routes", multiple=True, required=True, metavar="NAME=URL", help="Where it leads.")
@click.option("--listen", "listens", multiple=True, metavar="NAME=HOST:PORT", help="Where clients connect.")
@click.option("--authority", type=click.Path(path_type=Path), help="Certificates of a private authority, for https.")
def command(control: Path, routes: tuple[str, ...], listens: tuple[str, ...], authority: Path | None) -> None:
    """Run the proxy until stopped by a signal. Faults are put on its routes by experiments (target http_route)."""
    from chaosday.mechanisms.http_proxy.client import HttpProxyProcess

    wanted = dict(_pair(word) for word in routes)
    places = dict(_pair(word) for word in listens)
    if strange := sorted(places.keys() - wanted.keys()):
        raise UsageError(f"--listen {strange[0]}: no route is called so; there are {', '.join(sorted(wanted))}")
    control.parent.mkdir(parents=True, exist_ok=True)
    with HttpProxyProcess.start(control) as proxy:
        for name, url in wanted.items():
            listen = places.get(name, "127.0.0.1:0")
            say(f"{name}: {proxy.add_route(name, url, listen=listen, authority_file=str(authority or ''))} -> {url}")
        say(f"control socket: {proxy.control}")
        proxy.wait()
        raise Unavailable("the proxy ended by itself; clients that go by it reach nothing now. Start it again")


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name or not value:
        raise UsageError(f"{word!r} is not NAME=VALUE")
    return name, value
