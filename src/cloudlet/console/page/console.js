// The console: signs in with a key, and shows what the key may see while somebody looks.
// The key is in this page's memory only: objects and HTTP APIs may be pages of the same origin, which share all storage.

import { Refused, identity, mailbox, stacks, version } from "./apis.js";
import { announce, clear, drawAccount, drawMails, drawProblem, drawStacks, element } from "./drawing.js";
import { canSign } from "./signature.js";

const PAUSE = 2000; // milliseconds from an answer to the next question

let signedIn = null; // the key; answers to another one's questions are dropped

function start() {
  if (!canSign()) {
    showWhyNot();
    return;
  }
  element("key").addEventListener("submit", submit);
  element("access-key-id").addEventListener("paste", pasteAll);
  element("sign-out").addEventListener("click", signOut);
  show("sign-in");
}

function show(part) {
  for (const name of ["unsafe", "sign-in", "account"]) element(name).hidden = name !== part;
  element("sign-out").hidden = part !== "account";
}

function showWhyNot() {
  const port = location.port ? `:${location.port}` : "";
  const safe = `http://localhost${port}${location.pathname}`;
  element("unsafe-address").textContent = location.origin;
  element("safe-address").textContent = element("safe-address").href = safe;
  element("tunnel").textContent = `ssh -N -L ${location.port || 80}:127.0.0.1:${location.port || 80} ${location.hostname}`;
  show("unsafe");
}

// ── In and out ──────────────────────────────────────────────────────────────

function submit(event) {
  event.preventDefault();
  const field = (name) => element(name).value.trim();
  signIn({
    accessKeyId: field("access-key-id"),
    secretAccessKey: field("secret-access-key"),
    region: field("region"),
  });
}

/** Takes the lines of `cloudlet env` apart. Anything else is pasted as always. */
function pasteAll(event) {
  const pasted = event.clipboardData.getData("text");
  const given = (name) => new RegExp(`\\b${name}=['"]?([^'"\\s]+)`).exec(pasted)?.[1];
  const fields = {
    "access-key-id": given("AWS_ACCESS_KEY_ID"),
    "secret-access-key": given("AWS_SECRET_ACCESS_KEY"),
    region: given("AWS_DEFAULT_REGION"),
  };
  if (!fields["secret-access-key"]) return;
  event.preventDefault();
  for (const [name, text] of Object.entries(fields)) if (text) element(name).value = text;
  element("sign-in-button").focus();
}

async function signIn(key) {
  element("sign-in-button").disabled = true;
  drawProblem("sign-in", "");
  try {
    const [owner, running] = await Promise.all([identity(key), version()]);
    signedIn = key;
    element("key").reset();
    drawAccount({ ...owner, region: key.region, version: running });
    show("account");
    element("main").focus();
    announce("Signed in");
    watch(key);
  } catch (error) {
    drawProblem("sign-in", words(error));
    element("access-key-id").focus();
  } finally {
    element("sign-in-button").disabled = false;
  }
}

function signOut() {
  signedIn = null;
  clear();
  show("sign-in");
  announce("Signed out");
  element("access-key-id").focus();
}

const words = (error) => (error instanceof Refused ? error.message : `Cloudlet does not answer at ${location.origin}.`);

// ── Watching ────────────────────────────────────────────────────────────────

async function watch(key) {
  while (signedIn === key) {
    await visible();
    await Promise.all([refresh(key, "mails", mailbox, drawMails), refresh(key, "stacks", stacks, drawStacks)]);
    await new Promise((resume) => setTimeout(resume, PAUSE));
  }
}

/** What was drawn stays where the question fails. */
async function refresh(key, name, question, draw) {
  let problem = "";
  let found = null;
  try {
    found = await question(key);
  } catch (error) {
    problem = words(error);
  }
  if (signedIn !== key) return;
  drawProblem(name, problem);
  if (found !== null) draw(found);
}

function visible() {
  if (document.visibilityState === "visible") return Promise.resolve();
  return new Promise((resume) => document.addEventListener("visibilitychange", resume, { once: true }));
}

start();
