// Verifies a JWS with jose: verify.mjs PUBLIC.pem ALGORITHM < JWS; prints header and payload as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The library lies where `tests/oracles/setup` put it, which is not beside this file.
const home = createRequire(process.env.STRONGROOM_ORACLES + "/package.json");
const { compactVerify, importSPKI } = await import(pathToFileURL(home.resolve("jose")).href);

const [pem, algorithm] = process.argv.slice(2);
const key = await importSPKI(readFileSync(pem, "utf8"), algorithm);
const found = await compactVerify(readFileSync(0, "utf8").trim(), key, { algorithms: [algorithm] });
console.log(JSON.stringify({ header: found.protectedHeader, payload: new TextDecoder().decode(found.payload) }));
