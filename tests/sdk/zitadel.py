"""Zitadel's SDK for Python: create each type, activate, delete, list; v2 and v2beta."""

import os

from zitadel_client import models
from zitadel_client.auth.personal_access_token_authenticator import PersonalAccessTokenAuthenticator
from zitadel_client.exceptions import ApiError
from zitadel_client.zitadel import Zitadel

base, token = os.environ["STRONGROOM_URL"], os.environ["STRONGROOM_SECRET"]


def refused(status, code, mark, call, request):
    try:
        call(request)
    except ApiError as failure:
        assert failure.code == status, (failure.code, failure.response_body)
        said = str(failure.response_body)
        assert code in said and mark in said, said
    else:
        raise AssertionError(f"{call} {request} was not refused")


def life(keys, prefix):
    """Every method of one service, whose models begin with `prefix`."""

    def model(name):
        return getattr(models, f"{prefix}{name}")

    def create(**kind):
        made = keys.create_web_key(model("CreateWebKeyRequest")(**kind))
        assert made.id.isdecimal() and made.creation_date is not None, made
        return made.id

    def listed():
        return {key.id: key for key in keys.list_web_keys({}).web_keys}

    bits, hasher, curve = model("RSABits"), model("RSAHasher"), model("ECDSACurve")
    rsa, ecdsa = model("RSA"), model("ECDSA")
    kinds = [{}, {"ed25519": {}}]
    for size in (bits.RSA_BITS_2048, bits.RSA_BITS_3072, bits.RSA_BITS_4096):
        kinds.append({"rsa": rsa(bits=size, hasher=hasher.RSA_HASHER_SHA256)})
    for hashed in (hasher.RSA_HASHER_SHA384, hasher.RSA_HASHER_SHA512):
        kinds.append({"rsa": rsa(bits=bits.RSA_BITS_2048, hasher=hashed)})
    for name in (curve.ECDSA_CURVE_P256, curve.ECDSA_CURVE_P384, curve.ECDSA_CURVE_P512):
        kinds.append({"ecdsa": ecdsa(curve=name)})
    made = [create(**kind) for kind in kinds]
    shown = listed()
    assert [id for id in shown if id in made] == made, "the oldest first"
    for id, kind in zip(made, kinds):
        key = shown[id]
        assert key.creation_date is not None and key.change_date is not None, key
        if "rsa" in kind or not kind:
            wanted = kind.get("rsa") or rsa(bits=bits.RSA_BITS_2048, hasher=hasher.RSA_HASHER_SHA256)
            assert (key.rsa.bits, key.rsa.hasher) == (wanted.bits, wanted.hasher), key
        elif "ecdsa" in kind:
            assert key.ecdsa.curve == kind["ecdsa"].curve, key
        else:
            assert key.ed25519 == {}, key

    named, deleted = model("ActivateWebKeyRequest"), model("DeleteWebKeyRequest")
    first, second = made[0], made[1]
    changed = keys.activate_web_key(named(id=first)).change_date
    assert changed is not None
    assert keys.activate_web_key(named(id=first)).change_date == changed, "the old date"
    keys.activate_web_key(named(id=second))
    shown = listed()
    assert shown[first].state == "STATE_INACTIVE" and shown[second].state == "STATE_ACTIVE", shown
    refused(400, "failed_precondition", "COMMAND-Chai1", keys.delete_web_key, deleted(id=second))
    refused(404, "not_found", "COMMAND-teiG3", keys.activate_web_key, named(id="280543383892525058"))
    refused(400, "invalid_argument", "CreateWebKeyRequest.Rsa", keys.create_web_key,
            model("CreateWebKeyRequest")(rsa=rsa(bits=bits.RSA_BITS_UNSPECIFIED, hasher=hasher.RSA_HASHER_SHA256)))
    gone = [id for id in made if id != second]
    for id in gone:
        date = keys.delete_web_key(deleted(id=id)).deletion_date
        assert date is not None and keys.delete_web_key(deleted(id=id)).deletion_date == date
    assert keys.delete_web_key(deleted(id="280543383892525058")).deletion_date is None
    shown = listed()
    assert second in shown and not any(id in shown for id in gone), shown


def client(secret):
    return Zitadel(PersonalAccessTokenAuthenticator(base, secret))


zitadel = client(token)
life(zitadel.webkeys, "WebKeyService")
life(zitadel.beta_webkeys, "BetaWebKeyService")
refused(401, "unauthenticated", "AUTH-7fs1e", client("x" * 40).webkeys.list_web_keys, {})
print("create each type, activate, delete, list; v2 and v2beta")
