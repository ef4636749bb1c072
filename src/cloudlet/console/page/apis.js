// What the console asks of Cloudlet: AWS's own APIs, and the mailbox. Every answer is what the key may see.

import { signedHeaders } from "./signature.js";

const PATIENCE = 30_000; // milliseconds

/** The server's own words for why it does not do what was asked. */
export class Refused extends Error {}

export async function version() {
  return (await (await answer("/_cloudlet/health", {})).json()).version;
}

/** Who the key's owner is: `{account, arn}`. */
export async function identity(key) {
  const result = await ask(key, "sts", "2011-06-15", { Action: "GetCallerIdentity" });
  return { account: value(result, "Account"), arn: value(result, "Arn") };
}

/** The account's e-mails, the newest first: `{id, from, to, subject, body, time, protocol}`, `time` in epoch seconds. */
export async function mailbox(key) {
  const path = "/_cloudlet/mail";
  return (await (await answer(path, { headers: await signedHeaders(key, "sns", path) })).json()).mail;
}

/** The region's stacks: `{id, name, status, reason, description, outputs: [{key, value, description}]}`. */
export async function stacks(key) {
  const found = [];
  let token = "";
  do {
    const asked = { Action: "DescribeStacks", ...(token && { NextToken: token }) };
    const result = await ask(key, "cloudformation", "2010-05-15", asked);
    for (const stack of members(result, "Stacks")) {
      found.push({
        id: value(stack, "StackId"),
        name: value(stack, "StackName"),
        status: value(stack, "StackStatus"),
        reason: value(stack, "StackStatusReason"),
        description: value(stack, "Description"),
        outputs: members(stack, "Outputs").map((output) => ({
          key: value(output, "OutputKey"),
          value: value(output, "OutputValue"),
          description: value(output, "Description"),
        })),
      });
    }
    token = value(result, "NextToken");
  } while (token);
  return found;
}

/** Calls an operation of the query protocol; returns the element of its result. */
async function ask(key, service, version, parameters) {
  const form = new URLSearchParams({ ...parameters, Version: version }).toString();
  const headers = await signedHeaders(key, service, "/", form);
  const response = await answer("/", { method: "POST", headers, body: form });
  return child(parsed(await response.text()), `${parameters.Action}Result`);
}

async function answer(path, request) {
  const rest = { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(PATIENCE) };
  const response = await fetch(path, { ...request, ...rest });
  if (!response.ok) throw new Refused(reason(await response.text()) || `${response.status} ${response.statusText}`);
  return response;
}

/** Errors come as XML from the APIs, as JSON from what is Cloudlet's own; what follows an empty line is for debuggers. */
function reason(body) {
  let code, message;
  if (body.startsWith("{")) {
    ({ code, message } = JSON.parse(body));
  } else {
    const error = child(parsed(body), "Error");
    [code, message] = [value(error, "Code"), value(error, "Message")];
  }
  return [message?.split("\n\n")[0], code && `(${code})`].filter(Boolean).join(" ");
}

const parsed = (xml) => new DOMParser().parseFromString(xml, "application/xml").documentElement;
const child = (parent, name) => Array.from(parent?.children ?? []).find((element) => element.localName === name);
const value = (parent, name) => child(parent, name)?.textContent ?? "";
const members = (parent, name) => Array.from(child(parent, name)?.children ?? []);
