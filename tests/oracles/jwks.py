"""Fetches a key set and verifies a JWS with it, by PyJWT and by joserfc: jwks.py URL ALGORITHM < JWS; prints what they found as JSON."""

import json
import sys
import urllib.request
import warnings

import jwt
from joserfc import jws
from joserfc.jwk import KeySet

warnings.simplefilter("ignore")
url, algorithm = sys.argv[1:]
token = sys.stdin.read().strip()
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
claims = jwt.decode(token, key, algorithms=[algorithm])
with urllib.request.urlopen(url) as answer:
    keys = KeySet.import_key_set(json.load(answer))
found = jws.deserialize_compact(token, keys, registry=jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False))
assert json.loads(found.payload) == claims, (found.payload, claims)
print(json.dumps({"kid": key.key_id, "claims": claims}))
