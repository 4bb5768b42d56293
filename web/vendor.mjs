// Copies what pages load of others from the pinned npm packages into static/vendor, and what
// all pages load into site/static/vendor, and compares it with the list of its SHA-256.
// `--write` writes the list anew, for a change of versions that somebody has looked at.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

const packages = resolve(import.meta.dirname, "../tools/npm/node_modules");
const list = resolve(import.meta.dirname, "vendor.sha256");
const files = [
  ["site/static/vendor/htmx.min.js", "htmx.org/dist/htmx.min.js"],
  ["site/static/vendor/htmx.LICENSE", "htmx.org/LICENSE"],
  ["static/vendor/lightweight-charts.mjs", "lightweight-charts/dist/lightweight-charts.standalone.production.mjs"],
  ["static/vendor/lightweight-charts.LICENSE", "lightweight-charts/LICENSE"],
];

let sums = "";
const copies = files.map(([name, from]) => {
  const data = readFileSync(resolve(packages, from));
  sums += createHash("sha256").update(data).digest("hex") + "  " + name + "\n";
  return [name, data];
});
if (process.argv[2] === "--write") writeFileSync(list, sums);
if (readFileSync(list, "utf8") !== sums) {
  console.error("web: the packages hold other files than web/vendor.sha256 says; nothing is copied");
  process.exit(1);
}
for (const [name, data] of copies) {
  const target = resolve(import.meta.dirname, name);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, data);
}
