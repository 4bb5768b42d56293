// Says what the page's script makes of intents and words that come on standard input.
import { readFileSync } from "node:fs";
import { consentMessage, differences, freezeMessage, intentHash, loginMessage, whole } from "./static/words.js";

const out = [];
for (const c of JSON.parse(readFileSync(0, "utf8"))) {
  const hash = await intentHash(c.canonical);
  const shown = Object.fromEntries(Object.entries(JSON.parse(c.canonical)).map(([k, v]) => [k, String(v)]));
  out.push({
    hash, consent: consentMessage({ ...c, hash }), freeze: freezeMessage(c), login: loginMessage({ environment: c.environment, nonce: c.reason }), whole: whole(c.amount, c.scale),
    same: differences(c.canonical, shown), other: differences(c.canonical, { ...shown, to: "elsewhere" }),
  });
}
console.log(JSON.stringify(out));
