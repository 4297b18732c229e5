"""The object store, against a real S3 server: what it keeps, what it refuses, and what is nobody's
result.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from gen404_assets.competition.faults import InfrastructureFault
from resources.local_network.store import LocalStore
from resources.object_store import Credentials, ObjectConflict, ObjectStore, open_object_store
from resources.settings import BadSetting
from simulators.strangers import ok, stranger

KEY = "rounds/7/5Grw/submitted/chair.glb"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    with LocalStore(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture
def store(server: LocalStore) -> ObjectStore:
    return open_object_store(server.environment)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return f"rounds/7/{request.node.name.partition('[')[0]}/chair.glb"


def public(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=60)


def test_anybody_reads_what_was_put(
    store: ObjectStore, server: LocalStore, key: str, tmp_path: Path
) -> None:
    (tmp_path / "chair.glb").write_bytes(b"glTF")
    url = store.put(key, tmp_path / "chair.glb", "model/gltf-binary")
    assert url == f"{server.environment['CDN_URL']}/{key}" == store.url(key)
    with public(url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"glTF", "model/gltf-binary")
    assert store.get(store.key(url)) == store.read(url) == b"glTF"
    assert store.fetch(key, tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"glTF"
    assert {path.name for path in tmp_path.iterdir()} == {"chair.glb", "fetched"}


def test_nobody_else_writes(server: LocalStore) -> None:
    request = urllib.request.Request(
        f"{server.environment['CDN_URL']}/{KEY}", data=b"x", method="PUT"
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        public(request)  # type: ignore[arg-type]


def test_a_disk_that_takes_nothing_is_nobody_s_fault(
    store: ObjectStore, key: str, tmp_path: Path
) -> None:
    store.put(key, b"glTF", "model/gltf-binary")
    with pytest.raises(InfrastructureFault, match="No such file"):
        store.fetch(key, tmp_path / "no folder" / "chair.glb")


def test_what_is_not_there_is_absent(store: ObjectStore, tmp_path: Path) -> None:
    assert store.get("rounds/7/nobody.png") is None
    assert not store.fetch("rounds/7/nobody.png", tmp_path / "nobody")
    assert list(tmp_path.iterdir()) == []


def test_g18_an_object_is_never_overwritten_with_other_bytes(
    store: ObjectStore, key: str, tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"others")
    url = store.put(key, b"these", "image/png")
    assert store.put(key, b"these", "image/png") == url
    for other in (b"others", tmp_path / "other", b""):
        with pytest.raises(ObjectConflict, match=key):
            store.put(key, other, "image/png")
    assert store.get(key) == b"these"


def test_g18_of_writers_at_once_one_wins_and_the_others_know(server: LocalStore, key: str) -> None:
    start = threading.Barrier(6)

    def write(content: bytes) -> bytes | None:
        store = open_object_store(server.environment)
        store.get(key)  # the client is made before the race
        start.wait()
        try:
            store.put(key, content, "image/png")
        except ObjectConflict:
            return None
        return content

    with ThreadPoolExecutor(6) as threads:
        written = set(threads.map(write, [b"a" * 99_999, b"b" * 99_999, b"c" * 99_999] * 2))
    assert written == {None, open_object_store(server.environment).get(key)}


def test_an_object_without_our_digest_is_compared_by_content(
    store: ObjectStore, server: LocalStore, key: str
) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=server.environment["R2_ENDPOINT"],
        region_name="auto",
        aws_access_key_id=server.environment["R2_ACCESS_KEY_ID"],
        aws_secret_access_key=server.environment["R2_SECRET_ACCESS_KEY"],
    )
    s3.put_object(Bucket="404-gen", Key=key, Body=b"by somebody else")
    store.put(key, b"by somebody else", "image/png")
    with pytest.raises(ObjectConflict):
        store.put(key, b"by us", "image/png")


def test_g20_large_objects_pass_in_pieces(store: ObjectStore, key: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1 << 20) * 48)
    store.get(key)  # the client is made
    tracemalloc.start()
    try:
        store.put(key, large, "model/gltf-binary")
        assert store.fetch(key, tmp_path / "back")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/404-gen/a.png",
        "file:///etc/passwd",
        "{cdn}.evil.example/a.png",
        "{cdn}-private/a.png",
        "{cdn}/../other/a.png",
        "{cdn}/%2e%2e/a.png",
        "{cdn}/a.png?x=1",
        "{cdn}/",
        "{cdn}",
        "",
    ],
)
def test_g26_only_urls_of_the_cdn_are_read(
    url: str, store: ObjectStore, server: LocalStore
) -> None:
    with pytest.raises(ValueError, match=r"CDN_URL|plain key"):
        store.read(url.format(cdn=server.environment["CDN_URL"]))


@pytest.mark.parametrize("bad", ["", "/a", "a/", "a//b", "../a", "a/.hidden", "a b", "ä", "a\n"])
def test_keys_are_plain(bad: str, store: ObjectStore) -> None:
    for use in (store.url, store.get, lambda key: store.put(key, b"x", "image/png")):
        with pytest.raises(ValueError, match="plain key"):
            use(bad)


def everything_fails(store: ObjectStore, folder: Path) -> str:
    """That each call is an infrastructure fault, and what they say."""
    messages = []
    for call in (
        lambda: store.get("rounds/7/nobody.png"),
        lambda: store.put("rounds/7/new.png", b"x", "image/png"),
        lambda: store.fetch("rounds/7/nobody.png", folder / "nobody"),
        lambda: store.read(store.url("rounds/7/nobody.png")),
    ):
        with pytest.raises(InfrastructureFault) as fault:
            call()
        messages.append(str(fault.value))
    assert list(folder.iterdir()) == []
    return "\n".join(messages)


@pytest.mark.parametrize("name", ["R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"])
def test_g06_g23_wrong_credentials_are_no_absence_and_stay_secret(
    name: str, server: LocalStore, tmp_path: Path
) -> None:
    wrong = {**server.environment, name: "wrong-and-secret"}
    messages = everything_fails(open_object_store(wrong), tmp_path)
    for secret in ("wrong-and-secret", server.environment["R2_SECRET_ACCESS_KEY"]):
        assert secret not in messages


def test_g06_a_missing_bucket_is_no_absence(server: LocalStore, tmp_path: Path) -> None:
    messages = everything_fails(
        open_object_store({**server.environment, "R2_BUCKET": "nobodys"}), tmp_path
    )
    assert "NoSuchBucket" in messages or "AccessDenied" in messages


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n<html>",
        b"nonsense\r\n\r\n",
        ok(b"x", 'ETag: "x"', length=9),
        ok(b"welcome to the network, please log in"),
        b"",
    ],
)
def test_g01_nonsense_is_no_answer(answer: bytes, tmp_path: Path) -> None:
    with stranger(lambda _: [answer]) as nonsense:
        store = ObjectStore(
            nonsense.url, "404-gen", "http://cdn.invalid", credentials=Credentials("id", "secret")
        )
        everything_fails(store, tmp_path)


def test_g12_a_store_that_drips_ends() -> None:
    def drips(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            time.sleep(0.05)
            yield b"X: x\r\n"

    with stranger(drips) as slow:
        store = ObjectStore(
            slow.url,
            "404-gen",
            "http://cdn.invalid",
            credentials=Credentials("id", "secret"),
            timeout=1,
        )
        with pytest.raises(InfrastructureFault, match="no end after 1 s"):
            store.get(KEY)


def test_g01_a_store_that_is_down_is_no_result_and_works_again_later(
    server: LocalStore, store: ObjectStore, key: str, tmp_path: Path
) -> None:
    url = store.put(key, b"kept", "image/png")
    server.stop()
    try:
        everything_fails(store, tmp_path)
    finally:
        server.start()
    assert store.read(url) == b"kept"
    with public(url) as answer:
        assert answer.read() == b"kept"
    assert store.get("rounds/7/nobody.png") is None


def test_a_server_left_over_by_a_killed_run_is_replaced(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from resources.local_network.store import "
        "LocalStore\n"
        "from resources.object_store import open_object_store\n"
        "store = LocalStore(Path(sys.argv[1])); store.start()\n"
        "print(open_object_store(store.environment).put('a.png', b'kept', 'image/png'), "
        "flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        url = run.stdout.readline().strip()
        os.kill(run.pid, signal.SIGKILL)
    with public(url) as answer:  # it is still there
        assert answer.read() == b"kept"
    with LocalStore(tmp_path) as store, public(url) as answer:
        assert url == f"{store.environment['CDN_URL']}/a.png"
        assert answer.read() == b"kept"
    with pytest.raises(urllib.error.URLError):
        public(url)


def test_one_process_at_a_time_runs_it_in_a_folder(server: LocalStore, store: ObjectStore) -> None:
    with pytest.raises(InfrastructureFault, match="another process"):
        LocalStore(server.folder).start()
    assert store.get("rounds/7/nobody.png") is None


def test_a_taken_port_is_said(server: LocalStore, tmp_path: Path) -> None:
    port = int(server.environment["R2_ENDPOINT"].rpartition(":")[2])
    with pytest.raises(InfrastructureFault, match=f"port {port} is taken"):
        LocalStore(tmp_path, port).start()


SETTINGS = {
    "R2_ENDPOINT": "https://account.r2.example",
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "secret",
    "CDN_URL": "https://cdn.example/",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "") for name in SETTINGS),
        ("R2_ENDPOINT", "account.r2.example"),
        ("R2_ENDPOINT", "https://id:secret@account.r2.example"),
        ("CDN_URL", "ftp://cdn.example"),
        ("CDN_URL", "https://cdn.example/?key=1"),
        ("CDN_URL", "https://[cdn"),
        ("R2_BUCKET", "Our Bucket"),
        ("R2_SECRET_ACCESS_KEY", "sec ret"),
    ],
)
def test_a_bad_setting_is_named_and_no_secret_told(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name) as bad:
        open_object_store({**SETTINGS, name: value})
    assert not value or value not in str(bad.value)


def test_good_settings_are_taken() -> None:
    assert open_object_store(SETTINGS).url("a/b.png") == "https://cdn.example/a/b.png"
