// Asks the browser for a signature by passkey. The person has to be verified, by PIN,
// finger or face: a touch alone is refused here, and again by everyone who verifies.
import { sha256 } from "./words.js";

const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const base64url = (buffer) => base64(buffer).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const bytes = (encoded) => Uint8Array.from(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

// assert signs a message. credentials are those that may; none means any of the site.
export async function assert(message, site, credentials = []) {
  const got = await navigator.credentials.get({
    publicKey: {
      challenge: await sha256(message), rpId: site, userVerification: "required", timeout: 120000,
      allowCredentials: credentials.map((id) => ({ type: "public-key", id: bytes(id) })),
    },
  });
  return {
    credential: base64url(got.rawId),
    payload: JSON.stringify({ authenticatorData: base64url(got.response.authenticatorData), clientDataJSON: base64url(got.response.clientDataJSON) }),
    signature: base64url(got.response.signature),
  };
}

// make has a device make a passkey, and returns what a roster says of it. The public key is
// what follows the credential's id in the authenticator's data (WebAuthn level 3, 6.5.2): it
// ends them, since no extension is asked for.
export async function make(person, id, site) {
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { id: site, name: "Strongroom" }, user: { id: crypto.getRandomValues(new Uint8Array(32)), name: person, displayName: person }, challenge: crypto.getRandomValues(new Uint8Array(32)),
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })), attestation: "none", timeout: 120000,
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    },
  });
  const data = new Uint8Array(made.response.getAuthenticatorData()), view = new DataView(data.buffer), flags = data[32], at = 37 + 16;
  if (!(flags & 4)) throw new Error("The device did not verify that it is you: take another one.");
  if (!(flags & 64) || flags & 128) throw new Error("The device answered in a form that is not understood here: take another one.");
  const publicKey = data.slice(at + 2 + view.getUint16(at));
  return { key: { id, scheme: "webauthn", public: base64(publicKey), credential: base64(made.rawId), ...(flags & 8 ? { synced: true } : {}) }, hash: await sha256(publicKey) };
}

// why says in plain words why there is no signature.
export function why(error) {
  switch (error.name) {
    case "NotAllowedError": return "There is no signature: it was cancelled, it took too long, or the device could not verify that it is you.";
    case "SecurityError": return "This page is not at the address that your passkey is for.";
    case "InvalidStateError": return "The device has no passkey for this.";
  }
  return "There is no signature: " + error.message;
}

// fill puts values into a form's fields of the same names.
export function fill(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
}
