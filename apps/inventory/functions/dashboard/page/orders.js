// Draws the orders and the reports. Texts from files enter as text, never as markup.

import { make, number, plural, time } from "./drawing.js";

const AT_FIRST = 12;
const ITEMS_AT_FIRST = 6;
const STATUSES = { RESERVED: "Reserved", BACK_ORDERED: "Back-ordered" };

const element = (id) => document.getElementById(id);

let before = null; // order → its status the last time, to show what changed
let everything = false;

export function drawOrders(state) {
  const waiting = state.orders.filter((order) => order.status === "BACK_ORDERED");
  drawTotal(state.orders, waiting);
  const matching = state.orders.filter((order) => matches(order, state.ordersWanted));
  const shown = everything ? matching : matching.slice(0, AT_FIRST);
  element("orders-list").replaceChildren(...shown.map(row));
  element("orders-table").hidden = shown.length === 0;
  element("no-orders").hidden = shown.length > 0;
  element("no-orders").textContent = state.orders.length ? "No order matches." : "No order has arrived yet. Upload a file of orders to begin.";
  const more = element("more-orders");
  more.hidden = matching.length <= AT_FIRST;
  more.textContent = everything ? "Show fewer" : `Show all ${number.format(matching.length)}`;
  more.setAttribute("aria-expanded", everything);
  before = new Map(state.orders.map((order) => [order.order, order.status]));
}

/** What somebody who cannot see the list would want to hear of it. */
export function newsOf(orders) {
  if (!before) return "";
  const changed = orders.filter((order) => before.get(order.order) !== order.status);
  const waiting = changed.filter((order) => order.status === "BACK_ORDERED").length;
  return changed.length ? `${plural(changed.length - waiting, "order")} reserved, ${waiting} back-ordered.` : "";
}

export function showAllOrders(redraw) {
  everything = !everything;
  redraw();
}

function drawTotal(orders, waiting) {
  element("total-waiting").textContent = number.format(waiting.length);
  element("note-waiting").textContent = orders.length ? `of ${plural(orders.length, "order")}` : "no orders yet";
  element("tile-waiting").classList.toggle("some", waiting.length > 0);
}

function matches(order, { status, search }) {
  if (status !== "all" && order.status !== status) return false;
  const texts = [order.order, order.store, ...order.items.map(({ item }) => item)];
  return !search || texts.some((text) => text.toLowerCase().includes(search));
}

function row(order) {
  const drawn = element("order-template").content.firstElementChild.cloneNode(true);
  const cell = (name) => drawn.querySelector(`.order-${name}`);
  cell("id").textContent = order.order;
  cell("store").textContent = order.store;
  const wanted = ({ item, count }) => make("li", {}, make("b", {}, `${number.format(count)} ×`), ` ${item}`);
  cell("items").replaceChildren(...firstOf(order.items, wanted));
  const status = cell("status");
  status.querySelector(".badge").textContent = STATUSES[order.status];
  status.querySelector(".badge").classList.toggle("waiting", order.status === "BACK_ORDERED");
  status.querySelector(".order-why").replaceChildren(...firstOf(order.short, lacks));
  cell("time").replaceChildren(...when(order));
  drawn.classList.toggle("changed", before !== null && before.get(order.order) !== order.status);
  return drawn;
}

/** The first few entries of a list that may be long, and how many more there are. */
function firstOf(entries, drawn) {
  const shown = entries.slice(0, ITEMS_AT_FIRST).map(drawn);
  const rest = entries.length - shown.length;
  return rest ? [...shown, make("li", {}, `and ${number.format(rest)} more`)] : shown;
}

function lacks({ item, wanted, available }) {
  return make("li", {}, `${item}: ${number.format(wanted)} wanted, ${available ? number.format(available) : "none"} available`);
}

function when(order) {
  const times = [make("span", {}, "received ", time(order.received))];
  if (order.waited) times.push(make("span", {}, "waited, reserved ", time(order.since)));
  return times;
}

export function drawReports(reports) {
  const links = reports.map(({ day }) => {
    const shown = new Date(`${day}T00:00:00`).toLocaleDateString("en", { weekday: "short", day: "numeric", month: "long" });
    return make("li", {}, make("a", { href: `reports/${day}`, download: `stock-${day}.csv` }, shown), make("small", {}, "CSV"));
  });
  element("reports").replaceChildren(...links.slice(0, 7));
  element("no-reports").hidden = links.length > 0;
}
