"""Encrypts with joserfc: encrypt.py PUBLIC.pem ALGORITHM < PLAINTEXT; prints a compact JWE."""

import sys
import warnings

from joserfc import jwe
from joserfc.jwk import RSAKey

warnings.simplefilter("ignore")
key = RSAKey.import_key(open(sys.argv[1], "rb").read())
registry = jwe.JWERegistry(algorithms=[sys.argv[2], "A256GCM"])
header = {"alg": sys.argv[2], "enc": "A256GCM"}
print(jwe.encrypt_compact(header, sys.stdin.buffer.read(), key, registry=registry))
