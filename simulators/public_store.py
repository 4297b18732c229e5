"""A competition's store as anybody reaches it: a public bucket over HTTP that answers GET by key,
or fails as it is told to.

How a bucket answers was taken from the documents of S3's GetObject: an object that is not there is
404, or 403 to whoever may not list the bucket; an overloaded bucket answers 503 with `SlowDown`.
"""

import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from simulators.serving import QuietHandler, serving


@dataclass
class PublicStore:
    """`objects`: key -> content. `statuses`: what begins with a prefix answers with a status
    instead. `hanging`: the prefix of what is never answered. `failing`: key -> how often it is
    answered with 503 before it is there. `redirects`: key -> another URL. `asked`: the keys that
    were asked for.
    """

    objects: MutableMapping[str, bytes]
    statuses: dict[str, int] = field(default_factory=dict)
    hanging: str | None = None
    failing: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def status(self, key: str) -> int:
        for prefix, status in self.statuses.items():
            if key.startswith(prefix):
                return status
        if self.failing.get(key, 0):
            self.failing[key] -= 1
            return 503
        return 200 if key in self.objects else 404


@contextmanager
def public_store(objects: MutableMapping[str, bytes]) -> Iterator[PublicStore]:
    store = PublicStore(objects)

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            key = self.path.removeprefix("/bucket/")
            store.asked.append(key)
            if store.hanging is not None and key.startswith(store.hanging):
                store.over.wait(60)
                self.close_connection = True
            elif key in store.redirects:
                self.send_response(302)
                self.send_header("Location", store.redirects[key])
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif (status := store.status(key)) == 200:
                self.send(200, store.objects[key])
            else:
                self.send(status, b"<Error/>", "application/xml")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as address:
        store.url = f"{address}/bucket"
        try:
            yield store
        finally:
            store.over.set()
