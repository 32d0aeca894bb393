"use strict";
// The map: wheel, buttons, drag and two fingers move it; a click tells what is there.
(function () {
  const figures = [...document.querySelectorAll("figure.map")];
  const read = (figure) => JSON.parse(figure.querySelector(".map-data").textContent);
  const all = new Map(figures.map((figure) => [figure.id, read(figure)]));
  for (const figure of figures) start(figure, all.get(figure.id));

function start(figure, data) {
  const svg = figure.querySelector(".map-svg"), told = figure.querySelector(".told");
  const NS = "http://www.w3.org/2000/svg";
  const W = svg.viewBox.baseVal.width, H = svg.viewBox.baseVal.height;
  const moving = svg.querySelector(".moving"), scaleBar = svg.querySelector(".scale-bar");
  const pins = [...svg.querySelectorAll(".pin")].map((pin) => {
    const at = /translate\(([-\d.]+) ([-\d.]+)\)/.exec(pin.getAttribute("transform"));
    return { pin, x: +at[1], y: +at[2] };
  });
  const lines = [...moving.querySelectorAll("path, polyline")];
  const network = typeof data.network === "string" ? all.get(data.network).network : data.network;
  // maps of another width show the same network at another size
  const size = W / network.width, ends = size === 1 ? network.ends : network.ends.map((v) => v * size), words = data.words;
  let zoom = 1, cx = W / 2, cy = H / 2, chosen = null;
  // what lies far outside can be reached: the map moves and shrinks as far as the network goes
  const reach = [0, W, 0, H];
  for (let k = 0; k < ends.length; k += 2) {
    reach[0] = Math.min(reach[0], ends[k]); reach[1] = Math.max(reach[1], ends[k]);
    reach[2] = Math.min(reach[2], ends[k + 1]); reach[3] = Math.max(reach[3], ends[k + 1]);
  }
  const least = Math.min(W / (reach[1] - reach[0]), H / (reach[3] - reach[2]));

  for (const line of lines) line.setAttribute("vector-effect", "non-scaling-stroke");

  function px() { return svg.getBoundingClientRect().width / W; }

  function pinScale() { return Math.min(1 / px(), 1.5) / zoom; }

  function draw() {
    cx = Math.min(Math.max(cx, reach[0]), reach[1]);
    cy = Math.min(Math.max(cy, reach[2]), reach[3]);
    moving.setAttribute("transform", `translate(${W / 2 - cx * zoom} ${H / 2 - cy * zoom}) scale(${zoom})`);
    const s = pinScale();
    for (const p of pins) p.pin.setAttribute("transform", `translate(${p.x} ${p.y}) scale(${s})`);
    drawScale();
  }

  function drawScale() {
    // on a small screen scale and arrow keep a size that can be read
    const big = Math.min(Math.max(1 / px(), 1), 2.2), most = 0.25 * W * data.perPx / zoom * big, power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((k) => k * power).find((k) => k <= most * 1.0000001) || power;
    const wide = length / data.perPx * zoom / big, isKm = data.km && length >= 1000;
    const bar = scaleBar.querySelector("polyline"), text = scaleBar.querySelector("text");
    bar.setAttribute("points", `8,${H - 13} 8,${H - 8} ${8 + wide},${H - 8} ${8 + wide},${H - 13}`);
    const number = new Intl.NumberFormat(document.documentElement.lang).format(isKm ? length / 1000 : length);
    text.textContent = `${number} ${isKm ? data.km : data.unit}`;
    scaleBar.querySelector("rect").setAttribute("width", Math.max(wide + 14, text.textContent.length * 6.8 + 12));
    scaleBar.setAttribute("transform", `translate(0 ${H}) scale(${big}) translate(0 ${-H})`);
    const arrow = svg.querySelector(".north");
    if (arrow) arrow.setAttribute("transform", `translate(${W} 0) scale(${big}) translate(${-W} 0)`);
  }

  function zoomBy(factor, x, y) {
    const before = zoom;
    zoom = Math.min(Math.max(zoom * factor, least), 60);
    cx = x - (x - cx) * before / zoom;
    cy = y - (y - cy) * before / zoom;
    draw();
  }

  function onPaper(event) { // a point of the screen in the map's own coordinates
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * W, y = (event.clientY - box.top) / box.height * H;
    return { x: cx + (x - W / 2) / zoom, y: cy + (y - H / 2) / zoom };
  }

  function nearestLink(at) {
    let best = -1, least = Infinity;
    for (let k = 0; k < ends.length; k += 4) {
      const dx = ends[k + 2] - ends[k], dy = ends[k + 3] - ends[k + 1], size = dx * dx + dy * dy;
      const t = size ? Math.min(Math.max(((at.x - ends[k]) * dx + (at.y - ends[k + 1]) * dy) / size, 0), 1) : 0;
      const far = Math.hypot(ends[k] + t * dx - at.x, ends[k + 1] + t * dy - at.y);
      if (far < least) { least = far; best = k / 4; }
    }
    return { best, least };
  }

  function tell(title, facts, anchor) {
    told.replaceChildren();
    const head = document.createElement("b");
    head.textContent = title;
    told.append(head);
    for (const [name, value] of facts) {
      const span = document.createElement("span");
      span.textContent = name ? `${name}: ${value}` : value;
      told.append(span);
    }
    if (anchor) {
      const link = document.createElement("a");
      link.href = `#${anchor}`;
      link.textContent = words.more;
      told.append(link);
    }
  }

  function clear() {
    if (chosen) chosen.remove();
    chosen = null;
    for (const line of lines) line.classList.remove("dim");
  }

  function show(paths) {
    clear();
    chosen = document.createElementNS(NS, "g");
    for (const [link, classes] of paths) {
      const line = document.createElementNS(NS, "path"), k = 4 * link;
      line.setAttribute("d", `M${ends[k]} ${ends[k + 1]}L${ends[k + 2]} ${ends[k + 3]}`);
      line.setAttribute("class", classes);
      line.setAttribute("vector-effect", "non-scaling-stroke");
      chosen.append(line);
    }
    const first = moving.querySelector(".pin");
    moving.insertBefore(chosen, first);
  }

  function showPin(key) {
    const pin = data.pins.find((one) => one.key === key);
    if (!pin) return;
    const paths = pin.paths.map(([link, classes]) => [link, classes]).reverse();
    if (pin.link !== null) paths.push([pin.link, "chosen"]);
    show(paths);
    if (pin.paths.length) {
      for (const line of lines) if (line.classList.contains("cand") && !chosen.contains(line)) line.classList.add("dim");
    }
    tell(pin.title, pin.facts, pin.anchor);
  }

  function click(event) {
    const target = event.target.closest && event.target.closest(".pin[data-pin]");
    if (target) return showPin(target.dataset.pin);
    const at = onPaper(event), near9 = 9 / px() / zoom;
    let spot = null, closest = near9;
    for (const s of data.spots) {
      const far = Math.hypot(s[1] - at.x, s[2] - at.y);
      if (far < closest) { closest = far; spot = s; }
    }
    if (spot) { clear(); return tell(spot[0], spot[3]); }
    const near = nearestLink(at);
    if (near.best < 0 || near.least > near9) { clear(); return tell("", [["", words.hint]]); }
    show([[near.best, "chosen"]]);
    const facts = [["", `${network.lengths[near.best]} ${words.m}`]];
    if (network.streets[near.best]) facts.push(["", network.streets[near.best]]);
    for (const [head, texts] of network.columns) if (texts[near.best]) facts.push([head, texts[near.best]]);
    for (const pin of data.pins) {
      const found = pin.paths.find(([link]) => link === near.best);
      if (found) facts.push([pin.title, found[2]]);
    }
    tell(`${words.pipe} ${network.names[near.best]}`, facts);
  }

  const fingers = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    moved = fingers.size > 1 ? 99 : 0;
  });
  svg.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const others = [...fingers.values()].filter((f) => f.pointerId !== event.pointerId), k = 1 / px() / zoom;
    if (others.length) {
      const o = others[0], before = Math.hypot(last.clientX - o.clientX, last.clientY - o.clientY);
      const now = Math.hypot(event.clientX - o.clientX, event.clientY - o.clientY);
      const at = onPaper({ clientX: (event.clientX + o.clientX) / 2, clientY: (event.clientY + o.clientY) / 2 });
      if (before > 0) zoomBy(now / before, at.x, at.y);
    } else {
      moved += Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY);
      if (moved > 4) {
        if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
        cx -= (event.clientX - last.clientX) * k;
        cy -= (event.clientY - last.clientY) * k;
        draw();
      }
    }
    fingers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => fingers.delete(event.pointerId));
  svg.addEventListener("click", (event) => { if (moved <= 4) click(event); });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = onPaper(event);
    zoomBy(Math.exp(-event.deltaY / 300), at.x, at.y);
  }, { passive: false });
  const tools = figure.querySelector(".tools");
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const way = event.target.dataset.zoom;
    if (way === "all") { zoom = 1; cx = W / 2; cy = H / 2; clear(); draw(); }
    else if (way) zoomBy(way === "in" ? 1.6 : 1 / 1.6, cx, cy);
  });
  window.addEventListener("resize", draw);
  window.addEventListener("beforeprint", () => { zoom = 1; cx = W / 2; cy = H / 2; clear(); draw(); });
  figure.classList.add("live");
  tell("", [["", words.hint]]);
  draw();
}
})();
