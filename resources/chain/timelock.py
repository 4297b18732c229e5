"""How the local network's miners seal a commitment until a timelock round, and how its chain opens
it.

The cryptography is the SDK's own (`bittensor_core`), against drand's public chain "quicknet", whose
public key it holds. Nothing here asks the network: what is sealed is sealed to quicknet's first
round, whose signature everybody knows, and the local chain keeps it shut until the block at which
it lets that round come. A signature that isn't quicknet's for that round opens nothing, so the one
recorded here proves itself by opening.

What is sealed is what the SDKs seal: `set_reveal_commitment` of bittensor 10
(`get_encrypted_commitment` of `bittensor_drand` 2.0) SCALE bytes, `timelock.encrypt` of bittensor
11 the text itself. Both send it without the round, which is a field of its own.
"""

from functools import lru_cache

ROUND = 1
"""Of quicknet: the round that `_SIGNATURE` opens."""
_SIGNATURE = (
    "b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38"
    "c2c2e12198df95571de8e8e402a0cc48871c7089a2b3af4b"
)


def scale_bytes(text: bytes) -> bytes:
    """A text behind its length as a SCALE compact number."""
    size = len(text)
    if size < 1 << 6:
        return bytes([size << 2]) + text
    if size < 1 << 14:
        return (size << 2 | 1).to_bytes(2, "little") + text
    return (size << 2 | 2).to_bytes(4, "little") + text


def seal(text: bytes, sdk: int) -> bytes:
    """`text` sealed as that major version of bittensor does, to be sent as
    `TimelockEncrypted.encrypted`.
    """
    import bittensor_core  # type: ignore[import-untyped]  # noqa: PLC0415

    envelope, _ = bittensor_core.encrypt_at_round(scale_bytes(text) if sdk < 11 else text, ROUND)
    return bytes(bittensor_core.inner_ciphertext(envelope))


@lru_cache(maxsize=1024)
def unseal(sealed: bytes) -> bytes | None:
    """What was sealed to `ROUND`; None for what its signature doesn't open."""
    import bittensor_core  # noqa: PLC0415

    envelope = scale_bytes(sealed) + ROUND.to_bytes(8, "little")
    try:
        return bytes(bittensor_core.decrypt_with_signature(envelope, _SIGNATURE))
    except ValueError:
        return None
