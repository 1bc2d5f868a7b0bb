"""Auth0's SDK for Python: list, create, rotate twice, the seven algorithms, every form of a body."""

import os
import secrets

import httpx
from auth0.management import Auth0
from auth0.management.core.api_error import ApiError

base, token = os.environ["STRONGROOM_URL"], os.environ["STRONGROOM_SECRET"]
keys = Auth0(base_url=f"{base}/api/v2", token=token).connections.keys


def connection():
    """16 letters and digits after the prefix, as in the product."""
    return f"con_{secrets.token_hex(8)}"


def flags(key):
    return [flag for flag in ("current", "previous", "next") if getattr(key, flag, None)]


def judge(key, name, algorithm):
    assert key.algorithm == algorithm, key
    assert key.subject_dn == f"/CN={name}", key
    assert key.key_use == "signing", key
    assert len(key.kid) == 43 and key.fingerprint.replace(":", "") == key.thumbprint, key
    assert key.cert.endswith("-----END CERTIFICATE-----\r\n") and len(key.cert) <= 4096, key
    assert key.pkcs.endswith("-----END PKCS7-----\r\n") and len(key.pkcs) <= 4096, key


def refused(status, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ApiError as failure:
        assert failure.status_code == status, failure
        assert failure.body is not None, failure
    else:
        raise AssertionError(f"{call} {arguments} was not refused")


life = connection()
refused(404, keys.get, life)
refused(404, keys.rotate, life)
made = keys.create(life)
assert [flags(key) for key in made] == [["current"], ["next"]], made
for key in made:
    judge(key, life, "RS256")
assert [key.kid for key in keys.get(life)] == [key.kid for key in made]
refused(409, keys.create, life)

first = keys.rotate(life)
assert flags(first) == ["next"], first
once = keys.get(life)
assert [flags(key) for key in once] == [["current"], ["previous"], ["next"]], once
assert [key.kid for key in once] == [made[1].kid, made[0].kid, first.kid], once
second = keys.rotate(life, request={"signing_alg": "PS256"})
judge(second, life, "PS256")
assert [key.kid for key in keys.get(life)] == [first.kid, made[1].kid, second.kid]

for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384"):
    id = connection()
    for key in keys.create(id, request={"signing_alg": algorithm}):
        judge(key, id, algorithm)
    judge(keys.rotate(id), id, algorithm)
for algorithm in ("PS512", "ES512", "EdDSA", "none", ""):
    refused(400, keys.create, connection(), request={"signing_alg": algorithm})

for body in (None, {}):
    id = connection()
    assert len(keys.create(id, request=body)) == 2
    judge(keys.rotate(id, request=body), id, "RS256")
bearer = {"authorization": f"Bearer {token}"}
for form in ({"content": b"null", "headers": bearer | {"content-type": "application/json"}},
             {"data": {"signing_alg": "RS256"}, "headers": bearer}):
    answer = httpx.post(f"{base}/api/v2/connections/{connection()}/keys", timeout=60, **form)
    assert answer.status_code == 201 and answer.json()[0]["algorithm"] == "RS256", answer.text

judge(keys.create("con|x/y-py")[0], "con|x/y-py", "RS256")
refused(401, Auth0(base_url=f"{base}/api/v2", token="wrong").connections.keys.get, life)
print("list, create, rotate twice, seven algorithms, every body form")
