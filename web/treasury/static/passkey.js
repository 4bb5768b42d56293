// Asks the browser for a signature by passkey. The person has to be verified, by PIN,
// finger or face: a touch alone is refused here, and again by everyone who verifies.
import { sha256 } from "./words.js";

const base64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
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
