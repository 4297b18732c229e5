"""HTTP clients whose answers are bounded, for servers that may be broken or taken over.

It stands among the services because they are installed without the platform, which uses it too.
"""

import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import httpcore2
import httpx2

_OVERHEAD = 2**18
"""Bytes on the wire beside the content: headers, interim answers, the frames of chunks."""


class AnswerRefused(httpx2.TransportError):
    """An answer that is too large, too slow or compressed; the message says which."""


@dataclass(frozen=True)
class Bounds:
    """What one answer may take: `seconds` from the request to the answer's last byte, and `size`
    bytes of content.

    `together`: bytes of content of all answers to one client, None for no bound.
    """

    seconds: float
    size: int
    together: int | None = None


class BoundedTransport(httpx2.BaseTransport):
    """Sends requests, and ends each connection whose answer exceeds the bounds, where it stands.

    Compression isn't asked for, and an answer that is compressed all the same is refused, so bytes
    are counted as they are used. Redirects are left to the client, which follows none unless told
    to. `environment`: whether the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY are used, and
    the certificates of SSL_CERT_FILE. `connections`: at the same time, None for no bound.
    """

    def __init__(
        self, bounds: Bounds, *, environment: bool = True, connections: int | None = 100
    ) -> None:
        self._bounds, self._left = bounds, bounds.together
        self._environment, self._connections = environment, connections
        self._pools: dict[tuple[str, str | None], httpcore2.ConnectionPool] = {}
        self._lock = threading.Lock()
        self._wire = _Wire()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.BaseTransport`. Raises AnswerRefused beside httpx2's own errors."""
        bounds = self._bounds
        # Small chunks have as much around them.
        self._wire.begin(time.monotonic() + bounds.seconds, 2 * bounds.size + _OVERHEAD)
        request.headers["Accept-Encoding"] = "identity"
        url = request.url
        with _errors_of_httpx2():
            answer = self._pool(url).handle_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=cast("httpx2.SyncByteStream", request.stream),
                    extensions=request.extensions,
                )
            )
        content = _Content(answer, self._most())
        response = httpx2.Response(
            answer.status, headers=answer.headers, stream=content, extensions=answer.extensions
        )
        if refused := content.refused(response.headers):
            content.close()
            raise refused
        if self._left is not None:
            self._left -= len(response.read())
        return response

    def close(self) -> None:
        """End the connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _most(self) -> int:
        size = self._bounds.size
        return size if self._left is None else max(0, min(size, self._left))

    def _pool(self, url: httpx2.URL) -> httpcore2.ConnectionPool:
        """The connections to a URL, or to the proxy on the way there."""
        proxy = None
        if self._environment and not urllib.request.proxy_bypass(url.host):
            proxies = urllib.request.getproxies()
            proxy = proxies.get(url.scheme) or proxies.get("all")
        with self._lock:
            key = (url.scheme, proxy)
            if key not in self._pools:
                self._pools[key] = self._new_pool(*key)
            return self._pools[key]

    def _new_pool(self, scheme: str, proxy: str | None) -> httpcore2.ConnectionPool:
        # Loading the certificates takes most of a second, which plain HTTP has no use for.
        secure = "https" in {scheme, (proxy or "").partition(":")[0]}
        tls = httpx2.create_ssl_context(trust_env=self._environment) if secure else None
        if proxy is None:
            return httpcore2.ConnectionPool(
                ssl_context=tls, max_connections=self._connections, network_backend=self._wire
            )
        known = httpx2.Proxy(proxy if "://" in proxy else f"http://{proxy}")
        where = known.url
        if where.scheme not in {"http", "https"}:
            raise httpx2.ProxyError("the proxy of the environment is no HTTP proxy")
        return httpcore2.HTTPProxy(
            proxy_url=httpcore2.URL(
                scheme=where.raw_scheme, host=where.raw_host, port=where.port, target=b"/"
            ),
            proxy_auth=known.raw_auth,
            ssl_context=tls,
            proxy_ssl_context=tls if where.scheme == "https" else None,
            max_connections=self._connections,
            network_backend=self._wire,
        )


def bounded_client(
    bounds: Bounds,
    *,
    base_url: str = "",
    headers: dict[str, str] | None = None,
    environment: bool = True,
    connections: int | None = 100,
) -> httpx2.Client:
    """A client that follows no redirect and whose answers are within the bounds. Threads may share
    it.
    """
    return httpx2.Client(
        base_url=base_url,
        headers=headers,
        timeout=bounds.seconds,
        trust_env=environment,
        follow_redirects=False,
        transport=BoundedTransport(bounds, environment=environment, connections=connections),
    )


class _Content(httpx2.SyncByteStream):
    """The content of an answer, at most `most` bytes."""

    def __init__(self, answer: httpcore2.Response, most: int) -> None:
        self._answer, self._most = answer, most

    def refused(self, headers: httpx2.Headers) -> AnswerRefused | None:
        """What is wrong with content that is compressed, or says that it is too large."""
        length = headers.get("Content-Length", "")
        if headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            return AnswerRefused("an answer that is compressed, though that wasn't asked for")
        # Python refuses to read a number of thousands of digits.
        if length.isdecimal() and (len(length) > 18 or int(length) > self._most):
            return self._too_large()
        return None

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        with _errors_of_httpx2():
            for chunk in self._answer.iter_stream():
                size += len(chunk)
                if size > self._most:
                    raise self._too_large()
                yield chunk

    def close(self) -> None:
        with _errors_of_httpx2():
            self._answer.close()

    def _too_large(self) -> AnswerRefused:
        return AnswerRefused(f"an answer of more than {self._most:,} bytes")


class Wire(Protocol):
    """The bounds of a connection."""

    def seconds(self, timeout: float | None) -> float:
        """How long the next operation with this timeout may take. Raises where the time is up."""

    def spend(self, data: bytes) -> bytes:
        """Count bytes that were read, and give them back. Raises where there are too many."""


class _Wire(httpcore2.NetworkBackend):
    """Connections on which what the present thread's request reads is counted, bytes and seconds,
    so that headers, interim answers and handshakes without end come to one.
    """

    def __init__(self) -> None:
        self._plain = httpcore2.SyncBackend()
        self._request = threading.local()

    def begin(self, deadline: float, size: int) -> None:
        self._request.deadline, self._request.left = deadline, size

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._plain.connect_tcp(
            host, port, self.seconds(timeout), local_address, socket_options
        )
        return BoundedStream(stream, self)

    def sleep(self, seconds: float) -> None:
        self._plain.sleep(seconds)

    def seconds(self, timeout: float | None) -> float:
        """How long the next operation on a connection may take."""
        left: float = self._request.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("no end of the answer in time")
        return left if timeout is None else min(timeout, left)

    def spend(self, data: bytes) -> bytes:
        self._request.left -= len(data)
        if self._request.left < 0:
            raise AnswerRefused("an answer with more bytes around its content than it may have")
        return data


class BoundedStream(httpcore2.NetworkStream):
    """A connection under the bounds of its wire: they count for headers and padding, too."""

    def __init__(self, stream: httpcore2.NetworkStream, wire: Wire) -> None:
        self._stream, self._wire = stream, wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._wire.spend(self._stream.read(max_bytes, self._wire.seconds(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._wire.seconds(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = self._wire.seconds(timeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds)
        return BoundedStream(stream, self._wire)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


@contextmanager
def _errors_of_httpx2() -> Iterator[None]:
    """httpcore2's errors become those of the same name of httpx2, which its callers know."""
    try:
        yield
    except (
        httpcore2.TimeoutException,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.ProxyError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        named = getattr(httpx2, type(error).__name__, httpx2.TransportError)
        raise named(str(error)) from error
