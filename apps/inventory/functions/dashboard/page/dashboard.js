// The dashboard: asks the API what is in stock, what became of orders and files, draws it, takes uploads.

import { drawFiles, drawLevels, drawTimes, loaded, openFile } from "./drawing.js";
import { drawOrders, drawReports, newsOf, showAllOrders } from "./orders.js";
import { takeUploads } from "./uploading.js";

const EVERY = 2_000;
const WHILE_LOADING = 300;
const AT_MOST = 15_000;
const PATIENCE = 60_000;

const element = (id) => document.getElementById(id);

const state = {
  levels: [],
  uploads: [],
  orders: [],
  ordersWanted: { status: "all", search: "" },
  moving: [], // uploads from this page that are under way, or failed before the store saw them
  search: "",
  show: "all",
};

/** One of the API's lists. Answers null while it is the same as the last time. */
class List {
  #url;
  #etag = null;

  constructor(url) {
    this.#url = url;
  }

  async changed() {
    const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
    const answer = await fetch(this.#url, { headers, cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (answer.status === 304) return null;
    if (!answer.ok) throw new Error(`${this.#url}: ${answer.status}`);
    const content = await answer.json();
    this.#etag = answer.headers.get("ETag");
    return content;
  }
}

const inventory = new List("api/inventory");
const uploads = new List("api/uploads");
const orders = new List("api/orders");
const reports = new List("api/reports");

// ── Asking ──────────────────────────────────────────────────────────────────

let timer = null;
let asking = false;
let failures = 0;

async function ask() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    const [levels, files, taken] = await Promise.all([inventory.changed(), uploads.changed(), orders.changed()]);
    if (levels) state.levels = levels.levels;
    if (files) takeResults(files.uploads);
    if (levels) drawLevels(state);
    if (files || levels) drawFiles(state);
    if (taken) takeOrders(taken.orders);
    failures = 0;
    setStatus("live", "Live");
  } catch (error) {
    failures += 1;
    console.warn(error);
    setStatus("lost", "No connection, trying again…");
  } finally {
    asking = false;
    askAgain();
  }
}

function askAgain() {
  clearTimeout(timer);
  if (document.hidden) return;
  const loading = state.moving.some((upload) => upload.phase === "loading");
  timer = setTimeout(ask, failures ? Math.min(AT_MOST, EVERY * 2 ** failures) : loading ? WHILE_LOADING : EVERY);
}

function setStatus(kind, text) {
  element("status").className = `status ${kind}`;
  if (element("status-text").textContent !== text) element("status-text").textContent = text;
}

function takeOrders(taken) {
  state.orders = taken;
  const news = newsOf(taken);
  drawOrders(state);
  if (news) announce(news);
}

/** There is a new one every night. */
async function askForReports() {
  if (document.hidden) return;
  try {
    const found = await reports.changed();
    if (found) drawReports(found.reports);
  } catch (error) {
    console.warn(error);
  }
}

function takeResults(results) {
  state.uploads = results;
  settle();
}

/** An upload from this page is done when its file has another result than it had when the upload began. */
function settle() {
  for (const upload of state.moving.filter((upload) => upload.phase === "loading")) {
    const result = state.uploads.find((result) => result.file === upload.name);
    if (result && result.version !== upload.before) {
      state.moving.splice(state.moving.indexOf(upload), 1);
      announce(`${result.file}: ${loaded(result)}, ${result.rejected} rejected.`);
    } else if (Date.now() - upload.arrived > PATIENCE) {
      Object.assign(upload, { phase: "failed", problem: "The file arrived, but was not loaded within a minute." });
    }
  }
}

function announce(text) {
  element("announcer").textContent = text;
}

// ── Wiring ──────────────────────────────────────────────────────────────────

takeUploads({
  input: element("files"),
  page: document.documentElement,
  begun: (upload) => {
    upload.before = state.uploads.find((result) => result.file === upload.name)?.version;
    state.moving = state.moving.filter((other) => other.name !== upload.name || other.phase !== "failed");
    state.moving.unshift(upload);
  },
  changed: (upload) => {
    if (upload.phase === "loading") {
      upload.arrived = Date.now();
      settle();
      ask();
    }
    drawFiles(state);
    if (upload.phase === "failed") announce(`${upload.name}: ${upload.problem}`);
  },
});

element("search").addEventListener("input", (event) => {
  state.search = event.target.value.trim().toLowerCase();
  drawLevels(state);
});
element("show").addEventListener("change", (event) => {
  state.show = event.target.value;
  drawLevels(state);
});
element("search-orders").addEventListener("input", (event) => {
  state.ordersWanted.search = event.target.value.trim().toLowerCase();
  drawOrders(state);
});
element("show-orders").addEventListener("change", (event) => {
  state.ordersWanted.status = event.target.value;
  drawOrders(state);
});
element("more-orders").addEventListener("click", () => showAllOrders(() => drawOrders(state)));
element("out-list").addEventListener("click", (event) => {
  if (event.target.closest("button")) document.querySelector('#show [value="out"]').click();
});
addEventListener("hashchange", () => openFile(location.hash.slice(1)));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return clearTimeout(timer);
  ask();
  askForReports();
});
setInterval(() => document.hidden || drawTimes(), 10_000);
setInterval(askForReports, 60_000);
ask();
askForReports();
