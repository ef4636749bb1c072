// Draws the state into the page. Texts from files enter as text, never as markup.

const LOW = 5;
const ITEMS_AT_FIRST = 8;
const CHIPS = 12;

const element = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
export const plural = (count, one, many = `${one}s`) => `${number.format(count)} ${count === 1 ? one : many}`;

const cards = new Map(); // store → its card, kept so that a refresh moves nothing and loses no focus
const opened = new Set(); // stores of which all items are shown
const counts = new Map(); // store and item → the last count, to show what changed
let drawnBefore = false;

export function drawLevels(state) {
  drawTotals(state.levels);
  drawOut(state.levels.filter((level) => level.count === 0));
  const changed = whatChanged(state.levels);
  const stores = byStore(state.levels);
  const lacks = (name) => stores.get(name).some((level) => level.count === 0);
  const names = [...stores.keys()].sort((a, b) => lacks(b) - lacks(a) || a.localeCompare(b));
  const shown = names.filter((name) => drawStore(name, stores.get(name), state, changed));
  for (const [name, card] of cards) {
    if (!shown.includes(name)) {
      card.remove();
      cards.delete(name);
    }
  }
  shown.forEach((name, index) => {
    const place = element("stores").children[index];
    if (place !== cards.get(name)) element("stores").insertBefore(cards.get(name), place ?? null);
  });
  drawNothing(state, shown.length);
  drawnBefore = true;
}

function byStore(levels) {
  const stores = new Map();
  for (const level of levels) {
    if (!stores.has(level.store)) stores.set(level.store, []);
    stores.get(level.store).push(level);
  }
  return stores;
}

function whatChanged(levels) {
  const changed = new Set();
  for (const { store, item, count } of levels) {
    const key = `${store}\n${item}`;
    if (drawnBefore && counts.get(key) !== count) changed.add(key);
    counts.set(key, count);
  }
  return changed;
}

function drawTotals(levels) {
  const out = levels.filter((level) => level.count === 0);
  const low = levels.filter((level) => level.count > 0 && level.count <= LOW);
  const units = levels.reduce((sum, level) => sum + level.count, 0);
  const items = new Set(levels.map((level) => level.item));
  const stores = new Set(levels.map((level) => level.store));
  const short = new Set(out.map((level) => level.store));
  element("total-out").textContent = number.format(out.length);
  element("note-out").textContent = out.length ? `in ${plural(short.size, "store")}` : levels.length ? "nothing is missing" : "";
  element("tile-out").className = `tile tile-out ${out.length ? "some" : levels.length ? "none" : ""}`;
  element("total-units").textContent = number.format(units);
  element("note-units").textContent = low.length ? `${plural(low.length, "level")} at ${LOW} or fewer` : "";
  element("total-items").textContent = number.format(items.size);
  element("note-items").textContent = levels.length ? `${plural(levels.length, "level")} counted` : "";
  element("total-stores").textContent = number.format(stores.size);
  element("note-stores").textContent = stores.size ? `${stores.size - short.size} fully stocked` : "";
  document.title = out.length ? `(${out.length}) Inventory` : "Inventory";
}

function drawOut(out) {
  element("out").hidden = out.length === 0;
  const chips = out.slice(0, CHIPS).map(({ store, item }) => {
    const link = make("a", { href: `#${anchor(store)}` }, make("b", {}, item), make("span", {}, store));
    return make("li", {}, link);
  });
  if (out.length > CHIPS) {
    chips.push(make("li", {}, make("button", { type: "button" }, `and ${number.format(out.length - CHIPS)} more`)));
  }
  element("out-list").replaceChildren(...chips);
}

/** Draws a store's card; false if the search leaves nothing of it to show. */
function drawStore(name, levels, state, changed) {
  const shown = levels.filter((level) => matches(level, state)).sort((a, b) => a.count - b.count || a.item.localeCompare(b.item));
  if (!shown.length) return false;
  const card = cards.get(name) ?? newCard(name, state);
  const out = levels.filter((level) => level.count === 0).length;
  const units = levels.reduce((sum, level) => sum + level.count, 0);
  const badge = card.querySelector(".badge");
  badge.textContent = out ? `${number.format(out)} out of stock` : "All in stock";
  badge.className = out ? "badge some" : "badge";
  card.querySelector(".store-total").textContent = `${plural(units, "unit")} of ${plural(levels.length, "item")}`;
  const limit = opened.has(name) ? Infinity : ITEMS_AT_FIRST;
  const most = levels.reduce((greatest, level) => Math.max(greatest, level.count), 1);
  card.querySelector(".items").replaceChildren(...shown.slice(0, limit).map((level) => itemRow(level, most, changed)));
  const more = card.querySelector(".more");
  more.hidden = shown.length <= ITEMS_AT_FIRST;
  more.textContent = opened.has(name) ? "Show fewer" : `Show all ${number.format(shown.length)}`;
  more.setAttribute("aria-expanded", opened.has(name));
  card.classList.toggle("opened", opened.has(name) && !more.hidden);
  return true;
}

function matches({ store, item, count }, { search, show }) {
  if (show === "out" && count > 0) return false;
  if (show === "low" && count > LOW) return false;
  return !search || item.toLowerCase().includes(search) || store.toLowerCase().includes(search);
}

function newCard(name, state) {
  const card = element("store-template").content.firstElementChild.cloneNode(true);
  card.id = anchor(name);
  card.dataset.store = name;
  card.querySelector("h3").textContent = name;
  card.querySelector(".more").addEventListener("click", () => {
    if (!opened.delete(name)) opened.add(name);
    drawLevels(state);
  });
  cards.set(name, card);
  drawLastFile(name, card, state);
  return card;
}

function itemRow({ store, item, count }, most, changed) {
  const row = element("item-template").content.firstElementChild.cloneNode(true);
  row.querySelector(".item-name").textContent = item;
  row.querySelector(".gauge i").style.width = `${(100 * count) / most}%`;
  row.querySelector(".count").textContent = count ? number.format(count) : "Out of stock";
  row.classList.toggle("out-of-stock", count === 0);
  row.classList.toggle("low", count > 0 && count <= LOW);
  row.classList.toggle("changed", changed.has(`${store}\n${item}`));
  return row;
}

function drawNothing(state, shown) {
  element("nothing").hidden = shown > 0;
  element("nothing").textContent = state.levels.length
    ? "No item matches."
    : "Nothing is in the inventory yet. Upload a file to begin.";
}

// ── Files ───────────────────────────────────────────────────────────────────

const PHASES = { waiting: "Waiting…", sending: "Sending…", loading: "Loading…" };

export function drawFiles(state) {
  const open = new Set([...document.querySelectorAll(".file details[open]")].map((details) => details.dataset.file));
  const moving = new Set(state.moving.map((upload) => upload.name));
  const rows = [
    ...state.moving.map(movingRow),
    ...state.uploads.filter((upload) => !moving.has(upload.file)).map((upload) => fileRow(upload, open)),
  ];
  element("uploads").replaceChildren(...rows);
  element("no-uploads").hidden = rows.length > 0;
  for (const [name, card] of cards) drawLastFile(name, card, state);
}

function newRow(name, note) {
  const row = element("file-template").content.firstElementChild.cloneNode(true);
  row.id = fileAnchor(name);
  row.querySelector(".file-name").textContent = name;
  row.querySelector(".file-note").append(...note);
  return row;
}

function movingRow(upload) {
  const row = newRow(upload.name, [upload.phase === "failed" ? upload.problem : PHASES[upload.phase]]);
  row.classList.add(upload.phase === "failed" ? "failed" : "moving");
  const progress = row.querySelector("progress");
  progress.hidden = upload.phase !== "sending";
  progress.value = upload.sent;
  progress.setAttribute("aria-label", `Sending ${upload.name}`);
  return row;
}

function fileRow(upload, open) {
  const row = newRow(upload.file, [`${loaded(upload)} · `, time(upload.uploaded)]);
  if (!upload.rejected) return row;
  row.classList.add(upload.loaded ? "partly" : "failed");
  const details = row.querySelector("details");
  details.hidden = false;
  details.dataset.file = upload.file;
  details.open = open.has(upload.file);
  details.querySelector("summary").textContent = upload.kind === "orders" ? `${number.format(upload.rejected)} refused` : `${plural(upload.rejected, "row")} rejected`;
  if (upload.kind === "orders") details.querySelector("th + th").textContent = "Why it was not taken";
  const lines = upload.errors.map(({ line, reason, text }) =>
    make("tr", {}, make("td", {}, number.format(line)), make("td", {}, reason, ...(text ? [make("code", {}, text)] : []))),
  );
  const rest = upload.rejected - upload.errors.length;
  if (rest > 0) {
    lines.push(make("tr", {}, make("td", {}), make("td", {}, `and ${number.format(rest)} more: reports/${upload.file}.json`)));
  }
  details.querySelector("tbody").replaceChildren(...lines);
  return row;
}

/** What came of a file, in a few words. */
export function loaded(upload) {
  return upload.kind === "orders" ? `${plural(upload.loaded, "order")} taken` : `${plural(upload.loaded, "row")} loaded`;
}

/** The card's foot says which file its levels came with. */
function drawLastFile(name, card, state) {
  const last = state.uploads.find((upload) => upload.stores.includes(name));
  const foot = card.querySelector("footer");
  foot.hidden = !last;
  if (!last) return;
  const rejected = make("a", { href: `#${fileAnchor(last.file)}` }, `${number.format(last.rejected)} rejected`);
  foot.replaceChildren(`${last.file} · `, time(last.uploaded), ...(last.rejected ? [" · ", rejected] : []));
}

/** Somebody followed a link to a file: show what was wrong with it. */
export function openFile(fragment) {
  const details = fragment && document.getElementById(fragment)?.querySelector("details");
  if (details) details.open = true;
}

// ── Small things ────────────────────────────────────────────────────────────

export function drawTimes() {
  for (const shown of document.querySelectorAll("time")) shown.textContent = ago(shown.dateTime);
}

export function time(moment) {
  return make("time", { dateTime: moment, title: new Date(moment).toLocaleString("en") }, ago(moment));
}

function ago(moment) {
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  if (seconds > -15) return "just now";
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
  const [unit, length] = units.find(([, length]) => -seconds >= length);
  return relative.format(Math.round(seconds / length), unit);
}

function anchor(store) {
  return `store-${encodeURIComponent(store)}`;
}

function fileAnchor(file) {
  return `file-${encodeURIComponent(file)}`;
}

export function make(tag, properties, ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}
