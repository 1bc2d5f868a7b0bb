// Fetches a key set and verifies a JWS with it: jwks.mjs URL ALGORITHM < JWS; prints what jose found as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The library lies where `tests/oracles/setup` put it, which is not beside this file.
const home = createRequire(process.env.STRONGROOM_ORACLES + "/package.json");
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(home.resolve("jose")).href);

const [url, algorithm] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(url));
const found = await jwtVerify(readFileSync(0, "utf8").trim(), keys, { algorithms: [algorithm] });
console.log(JSON.stringify({ kid: found.protectedHeader.kid, claims: found.payload }));
