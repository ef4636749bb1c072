// Draws what the APIs answered. All of it enters the page as text, never as markup.

const MAILS_AT_FIRST = 50;
const URLS = /https?:\/\/[^\s<>"]+/g;
const sentAt = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });

export const element = (id) => document.getElementById(id);

const mailRows = new Map(); // id → its row, kept so that a refresh moves nothing and closes nothing
const stackRows = new Map();
const drawn = new WeakMap(); // a stack's row → what it shows
let mails = null; // as last answered; null before the first answer
let shownMails = MAILS_AT_FIRST;

element("more-mails").addEventListener("click", () => {
  shownMails = Infinity;
  drawMails(mails);
});

/** What a screen reader says. */
export function announce(words) {
  element("announcer").textContent = words;
}

/** `part` is sign-in, mails or stacks; without words there is no problem. */
export function drawProblem(part, words) {
  const problem = element(`${part}-problem`);
  if (problem.textContent !== words) problem.textContent = words;
  if (part !== "sign-in") drawStatus();
}

function drawStatus() {
  const failing = element("mails-problem").textContent || element("stacks-problem").textContent;
  const status = element("status");
  const words = failing ? "Not up to date" : "Live";
  status.className = failing ? "status" : "status live";
  if (status.textContent !== words) status.textContent = words;
}

export function drawAccount({ account, arn, region, version }) {
  element("account-id").textContent = account;
  element("account-user").textContent = arn.split(":").slice(5).join(":");
  element("account-region").textContent = region;
  element("account-version").textContent = version;
}

/** Leaves nothing of the account in the page. */
export function clear() {
  drawAccount({ account: "", arn: "", region: "", version: "" });
  for (const part of ["mails", "stacks"]) {
    drawProblem(part, "");
    element(part).replaceChildren();
    element(`${part}-number`).textContent = "";
    element(`no-${part}`).hidden = true;
  }
  element("more-mails").hidden = true;
  element("status").textContent = "";
  element("status").className = "status";
  mailRows.clear();
  stackRows.clear();
  mails = null;
  shownMails = MAILS_AT_FIRST;
}

// ── Mail ────────────────────────────────────────────────────────────────────

export function drawMails(found) {
  if (mails !== null) announceNew(found);
  const before = mails === null;
  mails = found;
  const shown = found.slice(0, shownMails);
  arrange(element("mails"), mailRows, shown, (mail) => mailRows.get(mail.id) ?? newMailRow(mail, before));
  element("mails-number").textContent = found.length || "";
  element("no-mails").hidden = found.length > 0;
  element("more-mails").hidden = shown.length === found.length;
  element("more-mails").textContent = `Show all ${found.length}`;
}

function announceNew(found) {
  const newest = found[0];
  if (newest === undefined || newest.id === mails[0]?.id) return;
  announce(`New e-mail to ${newest.to}: ${title(newest)}`);
}

function newMailRow(mail, wasThere) {
  const row = copy("mail-template");
  const part = (name) => row.querySelector(`.mail-${name}`);
  const time = new Date(mail.time * 1000);
  part("subject").textContent = title(mail);
  part("from").textContent = mail.from;
  part("to").textContent = mail.to;
  part("start").textContent = mail.subject ? mail.body.slice(0, 300).trim() : "";
  part("time").dateTime = time.toISOString();
  part("time").textContent = sentAt.format(time);
  row.classList.toggle("arrived", !wasThere);
  row.firstElementChild.addEventListener("toggle", () => part("body").replaceChildren(...withLinks(mail.body)), { once: true });
  return row;
}

/** A short message has no subject: it begins with what it says. */
const title = (mail) => mail.subject || mail.body.trim().split("\n")[0].slice(0, 100) || "(no subject)";

function* withLinks(text) {
  let end = 0;
  for (const found of text.matchAll(URLS)) {
    const url = found[0].replace(/[.,;:!?'\])}]+$/, ""); // they end a sentence more often than an address
    yield text.slice(end, found.index);
    yield link(url);
    end = found.index + url.length;
  }
  yield text.slice(end);
}

function link(url) {
  const made = document.createElement("a");
  made.textContent = url;
  if (URL.canParse(url)) made.href = url;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

// ── Stacks ──────────────────────────────────────────────────────────────────

export function drawStacks(found) {
  arrange(element("stacks"), stackRows, found, (stack) => {
    const content = JSON.stringify(stack);
    const row = stackRows.get(stack.id);
    if (row && drawn.get(row) === content) return row;
    const made = newStackRow(stack);
    drawn.set(made, content);
    return made;
  });
  element("stacks-number").textContent = found.length || "";
  element("no-stacks").hidden = found.length > 0;
}

function newStackRow({ name, status, reason, description, outputs }) {
  const row = copy("stack-template");
  row.querySelector("h3").textContent = name;
  const badge = row.querySelector(".badge");
  badge.textContent = status;
  badge.classList.add(mood(status));
  fill(row.querySelector(".stack-reason"), mood(status) === "good" ? "" : reason);
  fill(row.querySelector(".stack-description"), description);
  const list = row.querySelector(".outputs");
  list.hidden = outputs.length === 0;
  list.append(...outputs.map(outputLine));
  return row;
}

function mood(status) {
  if (/FAILED|ROLLBACK/.test(status)) return "bad";
  return status.endsWith("_COMPLETE") ? "good" : "busy";
}

function outputLine({ key, value, description }) {
  const line = document.createElement("div");
  const name = document.createElement("dt");
  const content = document.createElement("dd");
  name.textContent = key;
  name.title = description;
  content.append(/^https?:\/\/\S+$/.test(value) ? link(value) : value);
  line.append(name, content);
  return line;
}

// ── Lists ───────────────────────────────────────────────────────────────────

/** Makes the list show the rows of `found`, in order; a row that stays is not touched. */
function arrange(list, rows, found, rowOf) {
  const wanted = new Map(found.map((entry) => [entry.id, rowOf(entry)]));
  for (const [id, row] of rows) if (wanted.get(id) !== row) row.remove();
  rows.clear();
  let index = 0;
  for (const [id, row] of wanted) {
    rows.set(id, row);
    const place = list.children[index++] ?? null;
    if (place !== row) list.insertBefore(row, place);
  }
}

const copy = (template) => element(template).content.firstElementChild.cloneNode(true);

function fill(paragraph, words) {
  paragraph.textContent = words;
  paragraph.hidden = !words;
}
