"""PyJWT: fetches the key set over HTTP and verifies what each type of web key signs."""

import os

import jwt
import requests

base = os.environ["STRONGROOM_URL"]
session = requests.Session()
session.headers["authorization"] = f"Bearer {os.environ['STRONGROOM_SECRET']}"


def post(path, body):
    answer = session.post(f"{base}{path}", json=body, timeout=60)
    assert answer.ok, answer.text
    return answer.json()


def rsa(hasher):
    return {"rsa": {"bits": "RSA_BITS_2048", "hasher": f"RSA_HASHER_{hasher}"}}


def ecdsa(curve):
    return {"ecdsa": {"curve": f"ECDSA_CURVE_{curve}"}}


kinds = {"RS256": rsa("SHA256"), "RS384": rsa("SHA384"), "RS512": rsa("SHA512"), "ES256": ecdsa("P256"),
         "ES384": ecdsa("P384"), "ES512": ecdsa("P512"), "EdDSA": {"ed25519": {}}}
discovery = requests.get(f"{base}/.well-known/openid-configuration", timeout=60).json()
assert discovery["issuer"] == base and set(discovery["id_token_signing_alg_values_supported"]) == set(kinds)

tokens, forged = {}, []
for algorithm, kind in kinds.items():
    kid = post("/v2/web_keys", kind)["id"]
    post(f"/v2/web_keys/{kid}/activate", {})
    claims = {"iss": base, "sub": algorithm, "aud": "sdk"}
    order = {"payload": claims, "issuedAt": True, "expiresIn": 300, "headers": {"typ": "JWT"}}
    tokens[kid] = algorithm, post("/v1/key-rings/web-keys/jws", order)["jws"]

# All of them are verified after the last one has taken over: those before it stay published.
verifier = jwt.PyJWKClient(discovery["jwks_uri"])
for kid, (algorithm, token) in tokens.items():
    key = verifier.get_signing_key_from_jwt(token)
    assert key.key_id == kid and key.public_key_use == "sig", key
    claims = jwt.decode(token, key, algorithms=[algorithm], audience="sdk", issuer=base)
    assert claims["sub"] == algorithm and claims["exp"] - claims["iat"] == 300, claims
    head, body, signature = token.split(".")
    spoilt = ("A" if signature[0] != "A" else "B") + signature[1:]
    try:
        jwt.decode(f"{head}.{body}.{spoilt}", key, algorithms=[algorithm], audience="sdk")
    except jwt.InvalidSignatureError:
        forged.append(algorithm)
assert forged == list(kinds), forged

for kid in list(tokens)[:-1]:
    assert session.delete(f"{base}/v2/web_keys/{kid}", timeout=60).json()["deletionDate"]
kids = {key["kid"] for key in requests.get(discovery["jwks_uri"], timeout=60).json()["keys"]}
assert kids.isdisjoint(list(tokens)[:-1]) and list(tokens)[-1] in kids, kids
print("every type of web key verifies with the set that was fetched, and no longer once it is deleted")
