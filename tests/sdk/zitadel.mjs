// Zitadel's client for JavaScript over Connect JSON: create each type, activate, delete, list; v2 and v2beta.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDK lies where `tests/sdk/setup` put it, which is not beside this file.
const home = createRequire(process.env.STRONGROOM_SDKS + "/package.json");
const load = (name) => import(pathToFileURL(home.resolve(name)).href);
// Its CommonJS half cannot be loaded as such: the package says that all of it is modules.
const proto = (name) => import(pathToFileURL(`${process.env.STRONGROOM_SDKS}/node_modules/@zitadel/proto/es/${name}.js`).href);
const { createClientFor } = await load("@zitadel/client");
const { Code } = await load("@connectrpc/connect");
const { createConnectTransport } = await load("@connectrpc/connect-web");

const authorised = (secret) => (next) => (request) => {
    request.header.set("authorization", `Bearer ${secret}`);
    return next(request);
};
const transport = (options) => createConnectTransport({
    baseUrl: process.env.STRONGROOM_URL,
    interceptors: [authorised(options?.secret ?? process.env.STRONGROOM_SECRET)],
    useBinaryFormat: options?.binary ?? false,
});

const unknown = "280543383892525058";
const refused = (promise, code, mark) => assert.rejects(promise, (failure) => {
    assert.equal(failure.code, code, failure.message);
    assert.ok(failure.message.includes(mark), failure.message);
    // The detail is a message of Protocol Buffers, whose first field is the product's id.
    const details = failure.details.map(({ type, value }) => [type, Buffer.from(value).toString().includes(mark)]);
    assert.deepEqual(details, mark.includes("-") ? [["zitadel.v1.ErrorDetail", true]] : []);
    return true;
});

for (const version of ["v2", "v2beta"]) {
    const { WebKeyService } = await proto(`zitadel/webkey/${version}/webkey_service_pb`);
    const { ECDSACurve, RSABits, RSAHasher, State } = await proto(`zitadel/webkey/${version}/key_pb`);
    const keys = createClientFor(WebKeyService)(transport());

    const kinds = [{}, { key: { case: "ed25519", value: {} } }];
    for (const bits of [RSABits.RSA_BITS_2048, RSABits.RSA_BITS_3072, RSABits.RSA_BITS_4096]) {
        kinds.push({ key: { case: "rsa", value: { bits, hasher: RSAHasher.RSA_HASHER_SHA256 } } });
    }
    for (const hasher of [RSAHasher.RSA_HASHER_SHA384, RSAHasher.RSA_HASHER_SHA512]) {
        kinds.push({ key: { case: "rsa", value: { bits: RSABits.RSA_BITS_2048, hasher } } });
    }
    for (const curve of [ECDSACurve.ECDSA_CURVE_P256, ECDSACurve.ECDSA_CURVE_P384, ECDSACurve.ECDSA_CURVE_P512]) {
        kinds.push({ key: { case: "ecdsa", value: { curve } } });
    }
    const made = [];
    for (const kind of kinds) {
        const { id, creationDate } = await keys.createWebKey(kind);
        assert.match(id, /^[0-9]{18,19}$/);
        assert.ok(creationDate.seconds > 1700000000n);
        made.push(id);
    }
    const listed = async () => new Map((await keys.listWebKeys({})).webKeys.map((key) => [key.id, key]));
    const all = await listed();
    assert.deepEqual([...all.keys()].filter((id) => made.includes(id)), made, "the oldest first");
    const byDefault = { case: "rsa", value: { bits: RSABits.RSA_BITS_2048, hasher: RSAHasher.RSA_HASHER_SHA256 } };
    kinds.forEach(({ key = byDefault }, place) => {
        const shown = all.get(made[place]).key;
        assert.equal(shown.case, key.case);
        for (const [name, value] of Object.entries(key.value)) assert.equal(shown.value[name], value, name);
    });

    const [first, second] = made;
    const { changeDate } = await keys.activateWebKey({ id: first });
    assert.deepEqual((await keys.activateWebKey({ id: first })).changeDate, changeDate, "the old date");
    await keys.activateWebKey({ id: second });
    const states = await listed();
    assert.equal(states.get(first).state, State.INACTIVE);
    assert.equal(states.get(second).state, State.ACTIVE);
    await refused(keys.deleteWebKey({ id: second }), Code.FailedPrecondition, "COMMAND-Chai1");
    await refused(keys.activateWebKey({ id: unknown }), Code.NotFound, "COMMAND-teiG3");
    await refused(keys.activateWebKey({ id: "" }), Code.InvalidArgument, "ActivateWebKeyRequest.Id");
    await refused(keys.createWebKey({ key: { case: "rsa", value: {} } }), Code.InvalidArgument, "CreateWebKeyRequest.Rsa");
    for (const id of made.filter((id) => id !== second)) {
        const { deletionDate } = await keys.deleteWebKey({ id });
        assert.deepEqual((await keys.deleteWebKey({ id })).deletionDate, deletionDate, "the same date");
    }
    assert.equal((await keys.deleteWebKey({ id: unknown })).deletionDate, undefined);
    const left = await listed();
    assert.deepEqual(made.filter((id) => left.has(id)), [second]);

    const stranger = createClientFor(WebKeyService)(transport({ secret: "x".repeat(40) }));
    await refused(stranger.listWebKeys({}), Code.Unauthenticated, "AUTH-7fs1e");
    const binary = createClientFor(WebKeyService)(transport({ binary: true }));
    await assert.rejects(binary.listWebKeys({}), ({ message }) => message.includes("application/json"));
}
console.log("create each type, activate, delete, list; v2 and v2beta");
