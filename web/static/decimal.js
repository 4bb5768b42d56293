// Exact decimals: whole numbers of the smallest step, never a float.

/** decimals is how many digits a number has behind its point. */
export function decimals(text) {
  const at = text.indexOf(".");
  return at < 0 ? 0 : text.length - at - 1;
}

/** parse reads a plain decimal as a whole number of 10^-places, or null. */
export function parse(text, places) {
  if (!/^\d{1,30}(\.\d{1,18})?$/.test(text) || decimals(text) > places) return null;
  const [whole, part = ""] = text.split(".");
  return BigInt(whole + part.padEnd(places, "0"));
}

/** format is the inverse of parse, with all of the places. */
export function format(units, places) {
  const digits = units.toString().padStart(places + 1, "0");
  return places === 0 ? digits : digits.slice(0, -places) + "." + digits.slice(-places);
}

/** padded gives a decimal so many places, so that columns line up. */
export function padded(text, places) {
  const missing = places - decimals(text);
  if (missing <= 0) return text;
  return text + (text.includes(".") ? "" : ".") + "0".repeat(missing);
}

/** moved is a number some steps further, on a multiple of the step, never below one. */
export function moved(text, step, count) {
  const places = decimals(step);
  const size = parse(step, places);
  let now = parse(text, Math.max(places, decimals(text)));
  if (now === null) return step;
  now /= 10n ** BigInt(Math.max(0, decimals(text) - places));
  const next = (now / size + BigInt(count)) * size;
  return format(next < size ? size : next, places);
}

/** seconds reads a time as the API writes it, as text, as seconds since the Unix epoch. */
export function seconds(time) {
  return typeof time === "number" ? time : Math.floor(Date.parse(time) / 1000);
}
