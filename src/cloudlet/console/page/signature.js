// Signature Version 4, by the browser's own cryptography.

const text = new TextEncoder();

/** Whether this browser signs on this page: it does so under https and on the names of its own machine. */
export const canSign = () => globalThis.crypto?.subtle !== undefined;

/**
 * The headers that sign a request to this page's own server. `path` is plain: no query, nothing to encode.
 * A `form` is the body of a POST; without one it is a GET.
 */
export async function signedHeaders({ accessKeyId, secretAccessKey, region }, service, path, form) {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const date = time.slice(0, 8);
  const headers = { host: location.host, "x-amz-date": time };
  if (form !== undefined) headers["content-type"] = "application/x-www-form-urlencoded";
  const names = Object.keys(headers).sort();
  const signed = names.join(";");
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("");
  const canonical = [form === undefined ? "GET" : "POST", path, "", lines, signed, await sha256(form ?? "")].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  let key = text.encode(`AWS4${secretAccessKey}`);
  for (const part of scope.split("/")) key = await hmac(key, part);
  const signature = hex(await hmac(key, ["AWS4-HMAC-SHA256", time, scope, await sha256(canonical)].join("\n")));
  delete headers.host; // the browser sends it
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
  return headers;
}

async function hmac(key, message) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, text.encode(message));
}

const sha256 = async (message) => hex(await crypto.subtle.digest("SHA-256", text.encode(message)));

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
