// Compiles contracts/src to contracts/artifacts with the pinned compiler, and takes
// out of Safe's own npm package what the house needs of it:
//   node contracts/build.mjs
// The output depends on the sources and the pinned packages only, so that
// `make gen` can fail where the committed artifacts are out of date.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "tools", "npm", "node_modules");
const solc = createRequire(join(modules, "solc", "index.js"))("solc");

const wanted = "0.8.28";
if (!solc.version().startsWith(`${wanted}+`)) {
  throw new Error(`solc ${wanted} is wanted, found ${solc.version()}: run npm ci in tools/npm`);
}

const names = readdirSync(join(here, "src")).filter((f) => f.endsWith(".sol")).sort();
const sources = Object.fromEntries(
  names.map((f) => [f, { content: readFileSync(join(here, "src", f), "utf8") }]),
);
const input = {
  language: "Solidity",
  sources,
  settings: {
    evmVersion: "paris", // runs on every chain that the evm adapter is meant for
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const imported = (path) => ({ contents: readFileSync(join(modules, path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: imported }));
for (const e of output.errors ?? []) {
  if (e.severity === "error") throw new Error(e.formattedMessage);
  console.error(e.formattedMessage);
}
for (const file of names) {
  for (const [name, made] of Object.entries(output.contracts[file])) {
    if (made.evm.bytecode.object === "") continue; // an interface or an abstract contract
    const artifact = { name, compiler: wanted, abi: made.abi, bytecode: `0x${made.evm.bytecode.object}` };
    writeFileSync(join(here, "artifacts", `${name}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
    console.log(`contracts/artifacts/${name}.json`);
  }
}

// Safe, as its makers compiled it: what is deployed is compared with the code hashes
// that they published (chainadapters/evm/safe has them).
const safe = join(modules, "@safe-global", "safe-contracts");
const { version } = JSON.parse(readFileSync(join(safe, "package.json"), "utf8"));
const safeWanted = "1.4.1";
if (version !== safeWanted) throw new Error(`Safe ${safeWanted} is wanted, found ${version}: run npm ci in tools/npm`);
mkdirSync(join(here, "artifacts", "safe"), { recursive: true });
for (const path of [
  "Safe.sol/Safe",
  "proxies/SafeProxy.sol/SafeProxy",
  "proxies/SafeProxyFactory.sol/SafeProxyFactory",
  "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler",
  "libraries/MultiSendCallOnly.sol/MultiSendCallOnly",
]) {
  const made = JSON.parse(readFileSync(join(safe, "build", "artifacts", "contracts", `${path}.json`), "utf8"));
  const name = made.contractName;
  const artifact = { name, compiler: `@safe-global/safe-contracts ${version}`, abi: made.abi, bytecode: made.bytecode };
  writeFileSync(join(here, "artifacts", "safe", `${name}.json`), `${JSON.stringify(artifact)}\n`);
  console.log(`contracts/artifacts/safe/${name}.json`);
}
