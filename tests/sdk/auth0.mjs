// Auth0's SDK for Node.js: list, create, rotate twice, the seven algorithms, every form of a body.
import assert from "node:assert/strict";
import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDK lies where `tests/sdk/setup` put it, which is not beside this file.
const home = createRequire(process.env.STRONGROOM_SDKS + "/package.json");
const { ManagementClient } = await import(pathToFileURL(home.resolve("auth0")).href);

const base = new URL(process.env.STRONGROOM_URL);
const token = process.env.STRONGROOM_SECRET;
// The SDK knows https alone; everything else is its own.
const plain = (url, init) => fetch(String(url).replace(/^https:/, "http:"), init);
const { keys } = new ManagementClient({ domain: base.host, token, fetch: plain }).connections;

// 16 letters and digits after the prefix, as in the product.
let count = 0;
const connection = () => "con_" + createHash("sha256").update(`node ${process.pid} ${count++}`).digest("hex").slice(0, 16);
const flags = (list) => list.map((key) => ["current", "previous", "next"].filter((flag) => key[flag]).join());
const kids = (list) => list.map((key) => key.kid);

function judge(key, name, algorithm) {
    const certificate = new X509Certificate(key.cert);
    const jwk = createPublicKey(certificate.publicKey).export({ format: "jwk" });
    const required = jwk.kty === "RSA" ? { e: jwk.e, kty: jwk.kty, n: jwk.n } : { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y };
    assert.equal(key.kid, createHash("sha256").update(JSON.stringify(required)).digest("base64url"));
    assert.equal(key.fingerprint, certificate.fingerprint);
    assert.equal(key.thumbprint, certificate.fingerprint.replaceAll(":", ""));
    assert.equal(key.subject_dn, `/CN=${name}`);
    assert.equal(key.algorithm, algorithm);
    assert.equal(key.key_use, "signing");
    assert.ok(certificate.verify(certificate.publicKey));
    assert.match(key.pkcs, /^-----BEGIN PKCS7-----\r\n[^]*-----END PKCS7-----\r\n$/);
    assert.equal("current_since" in key, key.current === true);
}

const life = connection();
await assert.rejects(keys.get(life), { statusCode: 404 });
await assert.rejects(keys.rotate(life), { statusCode: 404 });
const made = await keys.create(life);
assert.deepEqual(flags(made), ["current", "next"]);
made.forEach((key) => judge(key, life, "RS256"));
assert.deepEqual(await keys.get(life), made);
await assert.rejects(keys.create(life), { statusCode: 409 });

const first = await keys.rotate(life);
assert.equal(first.next, true);
const once = await keys.get(life);
assert.deepEqual(flags(once), ["current", "previous", "next"]);
assert.deepEqual(kids(once), [made[1].kid, made[0].kid, first.kid]);
const second = await keys.rotate(life, { signing_alg: "ES256" });
judge(second, life, "ES256");
assert.deepEqual(kids(await keys.get(life)), [first.kid, made[1].kid, second.kid]);

for (const signing_alg of ["RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384"]) {
    const id = connection();
    (await keys.create(id, { signing_alg })).forEach((key) => judge(key, id, signing_alg));
    // Without a body the algorithm stays what it was.
    judge(await keys.rotate(id), id, signing_alg);
}
for (const signing_alg of ["PS512", "ES512", "EdDSA", "none", ""]) {
    await assert.rejects(keys.create(connection(), { signing_alg }), { statusCode: 400 });
}

for (const body of [undefined, {}, null]) {
    const id = connection();
    assert.equal((await keys.create(id, body)).length, 2);
    judge(await keys.rotate(id, body), id, "RS256");
}
const form = await fetch(new URL(`/api/v2/connections/${connection()}/keys`, base), {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: new URLSearchParams({ signing_alg: "ES384" }),
});
assert.equal(form.status, 201);
assert.equal((await form.json())[0].algorithm, "ES384");

const odd = "con|x/y";
judge((await keys.create(odd, { signing_alg: "ES256" }))[0], odd, "ES256");
assert.equal((await keys.get(odd)).length, 2);

const wrong = new ManagementClient({ domain: base.host, token: "wrong", fetch: plain });
await assert.rejects(wrong.connections.keys.get(life), { statusCode: 401 });
console.log("list, create, rotate twice, seven algorithms, every body form");
