"""A node of the chain: JSON-RPC over a WebSocket on loopback, as the SDK's transport speaks it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from bittensor._transport.codec import RuntimeCodec
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from gen404_assets.competition.settings import BLOCK_SECONDS
from simulators.chain_metadata import METADATA, encode_reveals

CODEC = RuntimeCodec(
    METADATA, spec_version=1, transaction_version=1, spec_name="node", ss58_format=42
)
VERSION = {"specName": "node", "specVersion": 1, "transactionVersion": 1}


@dataclass
class Node:
    """`fault` is how it answers a storage read: hang, close (cleanly), drip (frames that say
    nothing), nonsense, or pages (of a storage map, without end); `instead` is what it answers to a
    method in place of the truth.
    """

    genesis: datetime
    finalized: int = 100
    discarded_below: int = 0
    fault: str = ""
    instead: dict[str, dict[str, object]] = field(default_factory=dict)
    reveals: dict[str, list[tuple[bytes, int]]] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    connections: set[ServerConnection] = field(default_factory=set)

    def hash(self, number: int) -> str:
        return f"0x{number:08x}" + blake2b(number.to_bytes(8, "big"), digest_size=28).hexdigest()

    def time(self, number: int) -> datetime:
        return self.genesis + timedelta(seconds=BLOCK_SECONDS) * number

    def serve(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        try:
            for frame in connection:
                request = json.loads(frame)
                if not self._misbehave(connection, request["method"]):
                    connection.send(
                        json.dumps({"jsonrpc": "2.0", "id": request["id"], **self._answer(request)})
                    )
        except ConnectionClosed:
            pass

    def _misbehave(self, connection: ServerConnection, method: str) -> bool:
        if self.fault in ("", "pages") or not method.startswith("state_get"):
            return False
        if self.fault == "close":
            connection.close()
        while self.fault == "drip" and not self.stopped.wait(0.05):
            connection.send('{"jsonrpc": "2.0", "method": "news", "params": {}}')
        return self.fault != "nonsense"

    def _answer(self, request: dict[str, Any]) -> dict[str, object]:
        method, params = request["method"], request["params"]
        if method in self.instead:
            return self.instead[method]
        if self.fault == "nonsense" and method == "state_getStorageAt":
            return {"result": "0x00"}
        number = self._number(params[-1] if params else None)
        if method.startswith("state_") and number < self.discarded_below:
            error = {
                "code": 4003,
                "message": f"Client error: UnknownBlock: State already discarded for {params[-1]}",
            }
            return {"error": error}
        answers: dict[str, Callable[[], object]] = {
            "chain_getFinalizedHead": lambda: self.hash(self.finalized),
            "chain_getBlockHash": lambda: (
                self.hash(params[0]) if params[0] <= self.finalized + 3 else None
            ),
            "chain_getHeader": lambda: {"number": hex(number), "parentHash": self.hash(number - 1)},
            "state_getRuntimeVersion": lambda: VERSION,
            "state_call": lambda: None,
            "state_getMetadata": lambda: f"0x{METADATA.hex()}",
            "state_getStorageAt": lambda: (
                f"0x{round(self.time(number).timestamp() * 1000).to_bytes(8, 'little').hex()}"
            ),
            "state_getKeysPaged": lambda: self._page(params[1], params[2]),
            "state_queryStorageAt": lambda: [
                {"changes": [[key, self._storage()[key]] for key in params[0]]}
            ],
        }
        return {"result": answers[method]()}

    def _page(self, most: int, after: str) -> list[str]:
        """Keys in order; of the fault `pages`, the first ones over and over, at some distance."""
        if self.fault == "pages":
            self.stopped.wait(0.2)
            after = ""
        return [key for key in sorted(self._storage()) if key > after][:most]

    def _number(self, block_hash: object) -> int:
        if isinstance(block_hash, str) and len(block_hash) == 66:
            return int(block_hash[2:10], 16)
        return self.finalized + 3

    def _storage(self) -> dict[str, str]:
        entry = CODEC.storage_entry("Commitments", "RevealedCommitments")
        return {
            "0x" + CODEC.storage_key(entry, [17, hotkey]).hex(): "0x"
            + encode_reveals(reveals).hex()
            for hotkey, reveals in self.reveals.items()
        }


@contextmanager
def listening(node: Node, port: int = 0) -> Iterator[tuple[Server, int]]:
    with serve(node.serve, "127.0.0.1", port, ping_interval=None, close_timeout=0.2) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server, server.socket.getsockname()[1]
        finally:
            node.stopped.set()
            server.shutdown()
            for connection in node.connections:
                connection.close_socket()
            thread.join()
