"""Random numbers that do not depend on which rank draws them.

A stream is named by the seed and a key, for example `stream(seed, "velocity", sample, replica)`; the same name gives
the same numbers on any rank, for any number of ranks and on any machine. Streams of different names are independent.

Source: Philox4x64-10, J. K. Salmon et al., SC '11, doi:10.1145/2063384.2063405. The 128-bit key of a stream is the
BLAKE2b hash of its name (RFC 7693), so names cannot collide by arithmetic.
"""

from __future__ import annotations

import hashlib

import numpy as np

from runkit.errors import UserError


def stream(seed: int, *key: int | str) -> np.random.Generator:
    """The generator named by `seed` and `key`; each part is an integer or a short name. Raises UserError."""
    name = b"".join(_encode(part) for part in (seed, *key))
    digest = hashlib.blake2b(name, digest_size=16).digest()
    words = np.frombuffer(digest, dtype="<u8").astype(np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


def _encode(part: int | str) -> bytes:
    """Prefix-free bytes: "1", 1 and the parts of (1, 23) and (12, 3) stay apart."""
    if isinstance(part, str):
        text = part.encode()
        return b"s%d:%s" % (len(text), text)
    if isinstance(part, (bool, np.bool_)) or not isinstance(part, (int, np.integer)):
        raise UserError(f"{part!r} cannot be a seed of random numbers, nor a part of their name: whole numbers can")
    return b"i%d;" % int(part)
