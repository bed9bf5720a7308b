"""The certificates of a signature (x5c, RFC 7515 §4.1.6): the chain holds, and its first key made the signature."""
from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"RS256": hashes.SHA256, "RS384": hashes.SHA384, "RS512": hashes.SHA512}


def fault(chain: Any, algorithm: str, text: bytes, signed: bytes) -> str:
    """Why `signed` is no signature of `text` by the `algorithm` (of `HASHES`) and the key of the first certificate of `chain`, or
    why the chain does not hold: each of the other certificates certifies the one before it. "" if all is well."""
    if not isinstance(chain, list) or not chain:
        return "x5c is no list of certificates"
    try:
        certificates = [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in chain]
        for one, issuer in pairwise(certificates):
            one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, binascii.Error):
        return "x5c is no chain of certificates in base64"
    except InvalidSignature:
        return "a certificate in x5c is not certified by the one after it"
    key = certificates[0].public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return "the first certificate of x5c has no RSA key"
    try:
        key.verify(signed, text, padding.PKCS1v15(), HASHES[algorithm]())
    except InvalidSignature:
        return "it was not made with the key of the first certificate in x5c"
    return ""
