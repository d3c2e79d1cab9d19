"""The issuer's public keys, each bound to the algorithms that it may verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEYS_LIMIT = 100
RSA_BITS = range(2048, 8193)  # shorter is weak, longer makes each verification slow
RSA_EXPONENT_LIMIT = 2**32

Fits = Callable[[object], bool]


def _rsa(key: object) -> bool:
    if not isinstance(key, RSAPublicKey):
        return False
    return key.key_size in RSA_BITS and 3 <= key.public_numbers().e < RSA_EXPONENT_LIMIT


def _curve(name: str) -> Fits:
    return lambda key: isinstance(key, EllipticCurvePublicKey) and key.curve.name == name


def _ed25519(key: object) -> bool:
    return isinstance(key, Ed25519PublicKey)


# algorithm: the JWK's type, and whether a key is good for it. There is no symmetric algorithm, and no `none`.
ALGORITHMS: dict[str, tuple[str, Fits]] = {
    "RS256": ("RSA", _rsa),
    "RS384": ("RSA", _rsa),
    "RS512": ("RSA", _rsa),
    "PS256": ("RSA", _rsa),
    "PS384": ("RSA", _rsa),
    "PS512": ("RSA", _rsa),
    "ES256": ("EC", _curve("secp256r1")),
    "ES384": ("EC", _curve("secp384r1")),
    "ES512": ("EC", _curve("secp521r1")),
    "EdDSA": ("OKP", _ed25519),
}


@dataclass(frozen=True, slots=True)
class Key:
    id: str | None
    algorithm: str
    public: Any

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """The algorithm is this key's, never the token's word for it."""
        try:
            return jwt.get_algorithm_by_name(self.algorithm).verify(signed, self.public, signature)
        except (jwt.PyJWTError, ValueError, TypeError):
            return False


class KeySet:
    """Equal sets of keys compare equal, whatever order the issuer lists them in."""

    def __init__(self, document: object) -> None:
        """Raises ValueError for what is no JWK set. Keys that can not verify signatures are passed over."""
        listed = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(listed, list) or len(listed) > KEYS_LIMIT:
            raise ValueError("not a JWK set")
        self._keys = tuple(key for jwk in listed if isinstance(jwk, dict) for key in _keys_of(jwk))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeySet) and self._fingerprint() == other._fingerprint()

    __hash__ = None  # type: ignore[assignment]

    def candidates(self, key_id: str | None, algorithm: str) -> Sequence[Key]:
        """Keys of that id; of any id where the token names none."""
        return [key for key in self._keys if key.algorithm == algorithm and (key_id is None or key.id == key_id)]

    def _fingerprint(self) -> frozenset[tuple[str | None, str, bytes]]:
        return frozenset(
            (key.id, key.algorithm, key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
            for key in self._keys
        )


def _keys_of(jwk: Mapping[str, Any]) -> list[Key]:
    """One key may serve several algorithms (an RSA key RS256 and PS256), unless the issuer says which."""
    kind, key_id, only = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return []
    if not (key_id is None or isinstance(key_id, str)) or "d" in jwk:  # a private key that is public signs nothing
        return []
    fitting = [name for name, (kty, _) in ALGORITHMS.items() if kty == kind and only in (None, name)]
    if not fitting:
        return []
    try:
        public = jwt.get_algorithm_by_name(fitting[0]).from_jwk(dict(jwk))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        return []
    return [Key(key_id, name, public) for name in fitting if ALGORITHMS[name][1](public)]
