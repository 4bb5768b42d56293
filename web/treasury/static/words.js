// What a passkey signs, built from the text in front of the person. The same bytes are
// built by the program that verifies (treasury/consent): whoever changes what is shown, or
// what is hashed, gets a signature of something else.
const text = new TextEncoder();

export const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", typeof data === "string" ? text.encode(data) : data));

export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

// intentHash is the hash of an intent by its canonical form.
export const intentHash = async (canonical) => hex(await sha256("strongroom intent 2\n" + canonical));

export const consentMessage = ({ hash, verdict, person, at, reason }) => `strongroom consent 1\n${hash}\n${verdict}\n${person}\n${at}\n${reason}`;

export const freezeMessage = ({ environment, person, at, reason }) => `strongroom freeze 1\n${environment}\n${person}\n${at}\n${reason}`;

export const loginMessage = ({ environment, nonce }) => `strongroom login 1\n${environment}\n${nonce}`;

// whole writes base units in wholes of an asset with that many decimals; no float has it.
export function whole(units, scale) {
  if (!/^[0-9]+$/.test(units) || !(scale >= 0)) return "";
  const digits = units.padStart(scale + 1, "0");
  const fraction = scale ? digits.slice(-scale).replace(/0+$/, "") : "";
  return digits.slice(0, digits.length - scale) + (fraction && "." + fraction);
}

// differences lists the fields in which what is shown is not what is signed.
export function differences(canonical, shown) {
  const intent = JSON.parse(canonical);
  const wrong = [];
  for (const name of new Set([...Object.keys(intent), ...Object.keys(shown)]))
    if (String(intent[name] ?? "") !== (shown[name] ?? "")) wrong.push(name);
  return wrong;
}
