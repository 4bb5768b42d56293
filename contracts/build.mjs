// Compiles contracts/src to contracts/artifacts with the pinned compiler:
//   node contracts/build.mjs
// The output depends on the sources and the pinned packages only, so that
// `make gen` can fail where the committed artifacts are out of date.
import { createRequire } from "node:module";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
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
