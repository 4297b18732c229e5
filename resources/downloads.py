"""Downloads from the miners' CDNs. Their URLs may point anywhere, redirect anywhere, and never
end."""

import ipaddress
import itertools
import logging
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import httpcore2
import httpx2
from pydantic import Field

from gen404_assets.competition.faults import InfrastructureFault, MinerFault, TryLater
from gpu.bounded_http import BoundedStream
from gpu.formats import FILE_BYTES
from resources.deadlines import within
from resources.http_answers import Head, decoded, exactly
from resources.settings import BaseUrl, Settings, read_settings
from resources.whole_file import whole_file

_TIMEOUT = 180.0
"""Seconds of one download in all, redirects included."""
_IDLE = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0}
"""Seconds without progress; `_TIMEOUT` bounds their sum."""
_REDIRECTS = 3  # followed for one file; a ring of them ends here
_ADDRESSES = 4  # tried of a host, which may name any number
_PRIVATE = [
    ipaddress.ip_network(block)
    for block in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
]
# Python calls these global: addresses by which clouds reach their hosts, 6to4, which embeds any
# IPv4 address, and addresses reserved for documentation.
_NOT_PUBLIC = [
    ipaddress.ip_network(block)
    for block in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "2002::/16", "3fff::/20")
]
_UNICAST_V6 = ipaddress.ip_network(
    "2000::/3"
)  # leaves out NAT64, which may lead to any IPv4, among others

_LOG = logging.getLogger(__name__)

Resolve = Callable[[str], list[str]]


def user_agent() -> str:
    """How requests to strangers name their sender. Many hosts answer 403 to a request that
    doesn't."""
    what, contact = "404-GEN competition platform", "https://github.com/404-Repo/404-gen-subnet"
    return f"gen404/{version('gen404')} ({what}, Bittensor subnet 17; +{contact})"


class _Unreachable(Exception):
    """The server could not be reached: the miner's fault if the operator's own CDN can be reached,
    and the network's otherwise. The message is the reason."""


_HEADERS = [
    (b"User-Agent", user_agent().encode()),
    (b"Accept", b"*/*"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
]


class Downloads:
    """Fetches files over http(s), each within `timeout` seconds and `limit` bytes; threads may
    share it.

    A host is resolved once, by `resolve`, and connected to at just these addresses, which must all
    be public; with `private`, loopback and private ones will do as well. Each of at most three
    redirects is checked the same way.

    A failure is the miner's fault, with a short reason; a TryLater where a retry may succeed. It
    is an InfrastructureFault when the disk fails, or when a server can't be reached and neither
    can the `reachability_probe`, the host and port of the operator's own CDN.
    """

    def __init__(
        self,
        *,
        limit: int = FILE_BYTES,
        timeout: float = _TIMEOUT,
        private: bool = False,
        reachability_probe: tuple[str, int] | None = None,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limit = limit
        self._timeout = timeout
        self._private = private
        self._reachability_probe = reachability_probe
        self._resolve = resolve or _addresses
        self._configured_tls = tls

    def download(self, url: str, to: Path) -> int:
        """Save what `url` serves as the file `to`, whole or not at all; its size in bytes.

        Raises MinerFault (TryLater) or InfrastructureFault, and nothing else, whatever the URL
        and the answer are.
        """
        deadline = time.monotonic() + self._timeout
        size = 0
        try:
            with whole_file(to) as file, closing(self._body(url, deadline)) as body:
                for chunk in body:
                    size += len(chunk)
                    if size > self.limit:
                        raise MinerFault(f"larger than {self.limit} bytes")
                    file.write(chunk)
        except _Unreachable as error:
            if not self._network_works():
                raise InfrastructureFault(
                    f"download: {error}; CDN_URL can't be reached from here either"
                ) from None
            raise TryLater(str(error)) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InfrastructureFault(f"download: the file can't be written: {reason}") from error
        return size

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._configured_tls or httpx2.create_ssl_context(trust_env=False)

    def _body(self, url: str, deadline: float) -> Generator[bytes, None, None]:
        """What `url` serves, decoded. All of it comes from a miner's server, so an error that is
        not foreseen in here is that server's fault."""
        try:
            yield from self._followed(url, deadline)
        except (MinerFault, InfrastructureFault, _Unreachable):
            raise
        except MemoryError as error:
            raise InfrastructureFault("download: out of memory") from error
        # The HTTP libraries don't wrap every error: those of h2 and of IDNA come out as they are.
        except Exception as error:
            _LOG.warning("%r: what it serves made the HTTP client fail", url[:200], exc_info=True)
            raise TryLater(f"an answer that can't be read ({type(error).__name__})") from error

    def _followed(self, url: str, deadline: float) -> Iterator[bytes]:
        target = _parsed(url)
        for _ in range(1 + _REDIRECTS):
            self._check(target)
            with self._answer(target, deadline) as answer:
                head = Head(answer.status, answer.headers)
                if head.status not in {301, 302, 303, 307, 308}:
                    yield from self._content(head, answer)
                    return
                if head.location is None:
                    raise MinerFault("a redirect without a location")
                target = _parsed(head.location, target)
        raise MinerFault(f"more than {_REDIRECTS} redirects")

    def _check(self, target: httpx2.URL) -> None:
        """Raise MinerFault where this URL, given or of a redirect, must not be asked for."""

    def _content(self, head: Head, answer: httpcore2.Response) -> Iterable[bytes]:
        """The content of a 200, or of a 206 that is the whole all the same."""
        if head.status != 200 and head.whole is None:
            head.refuse()
        if max(head.length or 0, head.whole or 0) > self.limit:
            raise MinerFault(f"larger than {self.limit} bytes")
        stream = answer.iter_stream()
        return decoded(head.codings, stream if head.whole is None else exactly(head.whole, stream))

    @contextmanager
    def _answer(self, url: httpx2.URL, deadline: float) -> Iterator[httpcore2.Response]:
        # On the wire, TLS, headers and framing come to the content.
        wire = _Wire(
            self._pinned(url, deadline), deadline, budget=self.limit + self.limit // 16 + 2**20
        )
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        target = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=port, target=url.raw_path
        )
        headers = [(b"Host", url.netloc), *_HEADERS]
        # A name in TLS has no final dot, though a URL's host may have one.
        extensions = {"timeout": _IDLE, "sni_hostname": url.raw_host.decode().rstrip(".")}
        try:
            with (
                httpcore2.ConnectionPool(
                    ssl_context=self._tls, network_backend=wire, http2=True
                ) as pool,
                pool.stream("GET", target, headers=headers, extensions=extensions) as answer,
            ):
                yield answer
        except httpcore2.TimeoutException as error:
            late = time.monotonic() >= deadline
            raise _Unreachable(
                f"no end after {self._timeout:g} s" if late else "no answer in time"
            ) from error
        except httpcore2.NetworkError as error:
            raise _Unreachable("the connection failed") from error
        except httpcore2.ProtocolError as error:
            raise TryLater("cut short, or no proper HTTP") from error

    def _pinned(self, url: httpx2.URL, deadline: float) -> list[str]:
        """The addresses of the host, resolved once; each of them is allowed."""
        try:
            left = min(_IDLE["read"], deadline - time.monotonic())
            addresses = within(left, self._resolve, url.raw_host.decode())
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise _Unreachable("the host isn't found") from error
        for address in addresses:
            if not is_public(address) and not (self._private and _is_private(address)):
                raise MinerFault("the host's address isn't a public one")
        return _in_turn(addresses)[:_ADDRESSES]

    def _network_works(self) -> bool:
        if self._reachability_probe is None:
            return True
        try:
            within(
                _IDLE["connect"],
                socket.create_connection,
                self._reachability_probe,
                _IDLE["connect"],
            ).close()
        except OSError:
            return False
        return True


class _Wire(httpcore2.NetworkBackend):
    """Connections to the given addresses alone, whatever the host's name, within a deadline and
    `budget` bytes."""

    def __init__(self, addresses: list[str], deadline: float, *, budget: int) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._budget = budget

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - it was resolved before
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses:
            try:
                stream = httpcore2.SyncBackend().connect_tcp(
                    address, port, self.seconds(timeout), local_address, socket_options
                )
                return BoundedStream(stream, self)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def seconds(self, timeout: float | None) -> float:
        """The seconds that an operation with this timeout may take."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the deadline is over")
        return left if timeout is None else min(timeout, left)

    def spend(self, data: bytes) -> bytes:
        self._budget -= len(data)
        if self._budget < 0:
            raise MinerFault("more bytes on the wire than a file may have")
        return data


class DownloadSettings(Settings):
    """Downloads from miners' CDNs."""

    max_file_bytes: int = Field(
        FILE_BYTES, ge=1000, le=2**30, description="bytes of a miner's file, at most"
    )
    allow_private_cdn: bool = Field(
        False, description="whether a CDN may be at a loopback or private address"
    )
    cdn_url: BaseUrl | None = Field(None, description="public base URL of the bucket's objects")


def open_downloads(environment: Mapping[str, str]) -> Downloads:
    """Downloads with the settings `MAX_FILE_BYTES` (200 MiB) and `ALLOW_PRIVATE_CDN` (false), and
    `CDN_URL` as the reachability probe.

    Raises BadSetting, naming the setting.
    """
    settings = read_settings(DownloadSettings, environment)
    reachability_probe = None
    if settings.cdn_url:
        cdn = httpx2.URL(settings.cdn_url)
        reachability_probe = (
            cdn.raw_host.decode(),
            cdn.port or {"http": 80, "https": 443}[cdn.scheme],
        )
    return Downloads(
        limit=settings.max_file_bytes,
        private=settings.allow_private_cdn,
        reachability_probe=reachability_probe,
    )


def _parsed(url: str, base: httpx2.URL | None = None) -> httpx2.URL:
    try:
        parsed = base.join(url) if base else httpx2.URL(url)
        host = parsed.raw_host  # never `host`: it decodes IDNA, which fails for hosts that exist
    except (httpx2.InvalidURL, ValueError):
        raise MinerFault("not a URL") from None
    if parsed.scheme not in {"http", "https"}:
        raise MinerFault("a URL that is neither http nor https")
    if parsed.userinfo:
        raise MinerFault("a URL with credentials")
    if not host or (parsed.port is not None and not 0 < parsed.port < 2**16):
        raise MinerFault("a URL without a proper host and port")
    return parsed


def _addresses(host: str) -> list[str]:
    return list(
        dict.fromkeys(
            str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
    )


def _in_turn(addresses: list[str]) -> list[str]:
    """IPv6 and IPv4 by turns, beginning as the list does, so that the first few hold both where
    a host has both."""
    preferred = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    others = [address for address in addresses if address not in preferred]
    pairs = itertools.zip_longest(preferred, others)
    return [address for pair in pairs for address in pair if address is not None]


def is_public(address: str) -> bool:
    """Whether anybody may reach it from anywhere: not this machine, its network or its
    provider's inside."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _UNICAST_V6 or ip.scope_id:
            return False
    special = ip.is_multicast or ip.is_reserved or any(ip in block for block in _NOT_PUBLIC)
    return ip.is_global and not special


def _is_private(address: str) -> bool:
    """Whether it is loopback or of a private network: where a local network's miners are."""
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in block for block in _PRIVATE)
