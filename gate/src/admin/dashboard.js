"use strict";

// What is kept in the page, as it is on the server: a point every two seconds for ten minutes.
const POINTS = 300, INTERVAL_MS = 2000, SPAN_MS = POINTS * INTERVAL_MS;
// After this long without an answer the server is said to be gone.
const GONE_MS = 6000;

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/* Numbers as people read them. */

function short(n, digits = 1) {
  if (n == null || !isFinite(n)) return "–";
  const units = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
  for (const [size, unit] of units) {
    if (Math.abs(n) >= size * 0.9995) return trim((n / size).toFixed(n / size >= 100 ? 0 : digits)) + unit;
  }
  return n >= 100 || Number.isInteger(n) ? String(Math.round(n)) : trim(n.toFixed(digits));
}
const trim = text => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
const whole = n => n == null ? "–" : Math.round(n).toLocaleString("en-US");
function bytes(n) {
  if (n == null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1023.5 && at < units.length - 1) { n /= 1024; at++; }
  return (at === 0 || n >= 100 ? Math.round(n) : trim(n.toFixed(1))) + " " + units[at];
}
function micros(n) {
  if (n == null) return "–";
  if (n >= 999500) return trim((n / 1e6).toFixed(2)) + " s";
  if (n >= 999.5) return trim((n / 1e3).toFixed(n >= 1e5 ? 0 : 1)) + " ms";
  return trim(n.toFixed(n >= 100 ? 0 : 1)) + " µs";
}
const perSecond = n => short(n) + "/s";
const bytesPerSecond = n => bytes(n) + "/s";
const percent = n => n == null ? "–" : trim((100 * n).toFixed(n < 0.1 ? 1 : 0)) + " %";
function lasting(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, unit] of parts) if (seconds >= size) {
    const rest = parts[parts.findIndex(p => p[0] === size) + 1];
    const more = rest ? Math.floor(seconds % size / rest[0]) : 0;
    return Math.floor(seconds / size) + " " + unit + (more ? " " + more + " " + rest[1] : "");
  }
  return Math.floor(seconds) + " s";
}

/* What is drawn. */

const CHARTS = [
  { title: "Connections", format: whole, axis: short, curves: [["now", p => p.connections]], area: true },
  { title: "Coming and going", format: perSecond, curves: [["accepted", p => p.accepted], ["ended", p => p.closed]] },
  { title: "Messages", format: perSecond, curves: [["in", p => p.frames_in], ["out", p => p.frames_out]] },
  { title: "Bytes", format: bytesPerSecond, curves: [["in", p => p.bytes_in], ["out", p => p.bytes_out]], binary: true },
  { title: "Time of a reactor's turn", format: micros, curves: [["p50", p => p.turn_p50], ["p99", p => p.turn_p99]] },
  { title: "Wait for a worker", format: micros, curves: [["p50", p => p.wait_p50], ["p99", p => p.wait_p99]] },
  { title: "Waiting to be written", format: bytes, curves: [["copied", p => p.outbox], ["by reference", p => p.outbox_shared]], binary: true },
  { title: "Memory held for clients", format: bytes, curves: [["held", p => p.held]], area: true, binary: true },
  { title: "Refused and dropped", format: perSecond, curves: [["refused", p => p.refused], ["dropped", p => p.dropped]] },
];

const WORDS = {
  refused: "connections refused",
  dropped_newest: "dropped, newest",
  dropped_oldest: "dropped, oldest",
  superseded: "dropped, superseded",
  rate_limited: "dropped, over the rate",
  held_back: "sessions held back",
  memory_stalls: "turns without reading",
};

let points = [], next = 0, heard = 0, token = sessionStorage.getItem("token") || "";

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text != null) made.textContent = text;
  return made;
}

for (const chart of CHARTS) {
  chart.legend = element("span", { className: "legend" });
  chart.svg = drawn("svg", { role: "img", "aria-label": chart.title });
  const article = element("article", { className: "chart" },
    element("header", {}, element("h2", { textContent: chart.title }), chart.legend), chart.svg);
  chart.svg.addEventListener("pointermove", event => show(chart, event));
  chart.svg.addEventListener("pointerleave", () => { chart.at = null; $("tip").hidden = true; draw(chart); });
  $("charts").append(article);
}

/* A round number at or above `most`, so that three steps to it are round too. */
function ceiling(most, binary) {
  if (!(most > 0)) return binary ? 1024 : 1;
  let scale = 1;
  if (binary) while (most / scale >= 1024) scale *= 1024;
  const size = 10 ** Math.floor(Math.log10(most / scale));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(step => step * size >= most / scale - 1e-9);
  return step * size * scale;
}

const LEFT = 52, BOTTOM = 18, TOP = 8, HEIGHT = 150;

function draw(chart) {
  const width = chart.svg.clientWidth || 400;
  const end = points.length ? points[points.length - 1].at : Date.now();
  const x = at => LEFT + (width - LEFT - 4) * (1 - (end - at) / SPAN_MS);
  const values = chart.curves.map(([, value]) => points.map(value));
  const most = ceiling(values.flat().reduce((a, b) => Math.max(a, b ?? 0), 0), chart.binary);
  const y = value => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / most;
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const at = Math.round(y(most * share)) + 0.5;
    parts.push(drawn("line", { class: "grid", x1: LEFT, x2: width - 4, y1: at, y2: at }));
    const label = share && (chart.axis || chart.format)(most * share) || "0";
    parts.push(drawn("text", { x: LEFT - 8, y: at + 4, "text-anchor": "end" }, label));
  }
  for (const minutes of [10, 5, 0]) {
    const label = minutes ? "−" + minutes + " min" : "now";
    const anchor = minutes === 10 ? "start" : minutes ? "middle" : "end";
    parts.push(drawn("text", { x: x(end - minutes * 60000), y: HEIGHT - 3, "text-anchor": anchor }, label));
  }
  chart.curves.forEach((_, curve) => {
    // Where there is no value there is no line.
    let path = "", open = false, first = 0, last = 0, area = "";
    points.forEach((point, index) => {
      const value = values[curve][index];
      if (value == null) { open = false; return; }
      const place = x(point.at).toFixed(1) + " " + y(value).toFixed(1);
      path += (open ? "L" : "M") + place + (open ? "" : "h.01");
      if (!open && !first) first = x(point.at);
      last = x(point.at);
      area += "L" + place;
      open = true;
    });
    if (chart.area && area) {
      const floor = HEIGHT - BOTTOM;
      parts.push(drawn("path", { class: "area", d: `M${first} ${floor}${area}L${last} ${floor}Z` }));
    }
    parts.push(drawn("path", { class: curve ? "curve second" : "curve", d: path }));
  });
  if (chart.at != null && points[chart.at]) {
    const at = x(points[chart.at].at);
    parts.push(drawn("line", { class: "cursor", x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }));
  }
  chart.svg.replaceChildren(...parts);
  chart.legend.replaceChildren(...chart.curves.map(([name, value], curve) => {
    const known = points.findLast(point => value(point) != null);
    return element("span", {},
      element("i", { className: curve ? "key second" : "key" }), name + " ",
      element("b", { textContent: chart.format(known && value(known)) }));
  }));
}

function show(chart, event) {
  if (!points.length) return;
  const box = chart.svg.getBoundingClientRect();
  const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - 4);
  const at = points[points.length - 1].at - (1 - share) * SPAN_MS;
  let best = 0;
  points.forEach((point, index) => {
    if (Math.abs(point.at - at) < Math.abs(points[best].at - at)) best = index;
  });
  chart.at = best;
  const tip = $("tip");
  tip.textContent = new Date(points[best].at).toLocaleTimeString() + "   " +
    chart.curves.map(([name, value]) => name + " " + chart.format(value(points[best]))).join("   ");
  tip.hidden = false;
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = event.clientY + 16 + "px";
  draw(chart);
}

function tile(label, value, more, share) {
  const made = element("div", { className: "tile" },
    element("span", { className: "label", textContent: label }),
    element("b", { textContent: value }), element("span", { textContent: more }));
  if (share != null) {
    const fill = element("i");
    fill.style.width = Math.min(100, 100 * share) + "%";
    made.append(element("div", { className: "gauge" + (share >= 0.875 ? " full" : share >= 0.75 ? " high" : "") }, fill));
  }
  return made;
}

function tiles(last, present) {
  const sum = state => present.listeners.reduce((all, listener) => all + listener[state], 0);
  // With few connections this would be a share of the program, not of them.
  const own = last.private != null && present.private_empty != null
    ? (last.private - present.private_empty) / last.connections : null;
  const each = own != null && last.connections >= 1000 && own > 0 ? bytes(own) : "–";
  const limit = present.memory_limit;
  $("tiles").replaceChildren(
    tile("Connections", whole(last.connections), `${whole(sum("opening"))} opening, ${whole(sum("closing"))} closing`),
    tile("Messages", perSecond(last.frames_in), `in; ${perSecond(last.frames_out)} out`),
    tile("Traffic", bytesPerSecond(last.bytes_in), `in; ${bytesPerSecond(last.bytes_out)} out`),
    tile("Memory a connection", each,
      last.connections < 1000 ? "known from 1,000 connections on"
        : "user space; kernel " + (last.kernel_per_socket == null ? "unknown" : bytes(last.kernel_per_socket) + " a socket")),
    tile("Held for clients", bytes(last.held), limit ? `of ${bytes(limit)}` : "without a limit", limit ? last.held / limit : null),
    tile("Mailboxes", whole(last.mailbox), `events of ${whole(present.mailbox_max)}`, last.mailbox / present.mailbox_max),
  );
}

function table(id, head, rows, nothing) {
  const cell = (tag, [text, className = ""]) => element(tag, { textContent: text, className });
  const line = (tag, cells) => element("tr", {}, ...cells.map(one => cell(tag, [].concat(one))));
  $(id).replaceChildren(...(rows.length ? [line("th", head), ...rows.map(row => line("td", row))]
    : [line("td", [[nothing, "quiet"]])]));
}

function panels(present) {
  table("listeners", ["", "opening", "open", "closing", "accepted"],
    present.listeners.map(l => [l.name, whole(l.opening), whole(l.open), whole(l.closing), short(l.accepted)]));
  const flows = (of, name, quiet) => Object.entries(of)
    .filter(([, flow]) => flow.total > 0)
    .sort((a, b) => b[1].total - a[1].total)
    .map(([key, flow]) => [name(key), whole(flow.total),
      flow.per_second ? [perSecond(flow.per_second), quiet ? "" : "hot"] : ["0", "quiet"]]);
  table("closes", ["", "since start", "now"], flows(present.closes, key => key.replaceAll("_", " "), true), "none yet");
  table("pressure", ["", "since start", "now"], flows(present.pressure, key => WORDS[key] || key, false), "none");
  const order = new Intl.Collator("en", { numeric: true });
  $("threads").replaceChildren(...Object.entries(present.threads)
    .sort((a, b) => order.compare(a[0], b[0]))
    .flatMap(([name, load]) => {
      const [running, waiting] = [element("i"), element("i", { className: "waiting" })];
      running.style.width = 100 * load.running + "%";
      waiting.style.width = 100 * Math.min(load.waiting, 1 - load.running) + "%";
      return [element("span", { textContent: name.replace("-", " ") }),
        element("div", { className: "bar", title: `${percent(load.running)} running, ${percent(load.waiting)} could run` }, running, waiting),
        element("span", { className: "share", textContent: percent(load.running) })];
    }));
}

function take(answer) {
  heard = Date.now();
  // Fewer than asked for: another process answers, and its history begins anew.
  if (answer.next < next) points = [];
  points = points.concat(answer.points).slice(-POINTS);
  next = answer.next;
  document.title = `${short(points.at(-1)?.connections ?? 0)} · ${answer.product}`;
  $("product").textContent = answer.product;
  $("state").textContent = answer.state;
  $("state").className = "badge " + answer.state;
  $("facts").textContent = `${answer.version} · up ${lasting(answer.uptime_seconds)}`;
  $("banner").hidden = $("login").hidden = true;
  $("main").className = "";
  if (points.length) {
    tiles(points[points.length - 1], answer.present);
    CHARTS.forEach(draw);
    panels(answer.present);
  }
}

function gone() {
  const since = heard ? lasting((Date.now() - heard) / 1000) : null;
  $("state").textContent = "gone";
  $("state").className = "badge gone";
  $("banner").textContent = since
    ? `The server has not answered for ${since}. What is shown is what it said last.`
    : "The server does not answer.";
  $("banner").hidden = false;
  $("main").className = "stale";
}

async function poll() {
  try {
    const headers = token ? { authorization: "Bearer " + token } : {};
    const response = await fetch("/stats.json?from=" + next,
      { headers, cache: "no-store", signal: AbortSignal.timeout(GONE_MS) });
    if (response.status === 401) {
      $("login").hidden = false;
      $("main").hidden = true;
      $("state").textContent = "locked";
      return;
    }
    if (!response.ok) throw new Error(response.statusText);
    const answer = await response.json();
    $("main").hidden = false;
    take(answer);
  } catch {
    // One that is missing shows nowhere; a server that stays silent does.
    if (Date.now() - heard > GONE_MS) gone();
  }
  setTimeout(poll, INTERVAL_MS);
}

$("login").addEventListener("submit", event => {
  event.preventDefault();
  token = $("token").value;
  sessionStorage.setItem("token", token);
  poll();
});
addEventListener("resize", () => CHARTS.forEach(draw));
poll();
