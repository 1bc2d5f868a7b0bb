"""Verifies a JWS with joserfc: verify.py PUBLIC.pem ALGORITHM < JWS; prints header and payload as JSON."""

import json
import sys
import warnings

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

warnings.simplefilter("ignore")
pem, algorithm = open(sys.argv[1], "rb").read(), sys.argv[2]
kind = {"R": RSAKey, "P": RSAKey, "ES": ECKey, "Ed": OKPKey}
key = kind[algorithm[:2] if algorithm[0] == "E" else algorithm[0]].import_key(pem)
registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
found = jws.deserialize_compact(sys.stdin.read().strip(), key, registry=registry)
print(json.dumps({"header": found.protected, "payload": found.payload.decode()}))
