// jose: fetches the key set over HTTP and verifies what each type of web key signs.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const home = createRequire(process.env.STRONGROOM_SDKS + "/package.json");
const { createRemoteJWKSet, errors, jwtVerify } = await import(pathToFileURL(home.resolve("jose")).href);

const base = process.env.STRONGROOM_URL;
const headers = { authorization: `Bearer ${process.env.STRONGROOM_SECRET}`, "content-type": "application/json" };
const ask = async (method, path, body) => {
    const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(answer.ok, await answer.clone().text());
    return answer.json();
};

const rsa = (hasher) => ({ rsa: { bits: "RSA_BITS_2048", hasher: `RSA_HASHER_${hasher}` } });
const ecdsa = (curve) => ({ ecdsa: { curve: `ECDSA_CURVE_${curve}` } });
const kinds = {
    RS256: rsa("SHA256"), RS384: rsa("SHA384"), RS512: rsa("SHA512"),
    ES256: ecdsa("P256"), ES384: ecdsa("P384"), ES512: ecdsa("P512"), EdDSA: { ed25519: {} },
};
const discovery = await (await fetch(base + "/.well-known/openid-configuration")).json();
assert.equal(discovery.issuer, base);

const tokens = [];
for (const [algorithm, kind] of Object.entries(kinds)) {
    const { id } = await ask("POST", "/v2/web_keys", kind);
    await ask("POST", `/v2/web_keys/${id}/activate`);
    const payload = { iss: base, sub: algorithm, aud: "sdk" };
    const { jws } = await ask("POST", "/v1/key-rings/web-keys/jws", { payload, issuedAt: true, expiresIn: 300 });
    tokens.push({ algorithm, id, jws });
}

// All of them are verified after the last one has taken over: those before it stay published.
const verifier = () => createRemoteJWKSet(new URL(discovery.jwks_uri));
const keys = verifier();
for (const { algorithm, id, jws } of tokens) {
    const expected = { algorithms: [algorithm], audience: "sdk", issuer: base };
    const { payload, protectedHeader } = await jwtVerify(jws, keys, expected);
    assert.equal(payload.sub, algorithm);
    assert.equal(protectedHeader.kid, id);
    const [head, body, signature] = jws.split(".");
    const spoilt = (signature[0] === "A" ? "B" : "A") + signature.slice(1);
    await assert.rejects(jwtVerify(`${head}.${body}.${spoilt}`, keys, expected), errors.JWSSignatureVerificationFailed);
}

const [gone] = tokens;
await ask("DELETE", `/v2/web_keys/${gone.id}`);
await assert.rejects(jwtVerify(gone.jws, verifier()), errors.JWKSNoMatchingKey);
console.log("every type of web key verifies with the set that was fetched, and no longer once it is deleted");
