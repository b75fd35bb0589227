// Steps through a lesson. packing.py makes the data, and says what its letters mean.
const $ = id => document.getElementById(id);
const all = what => [...document.querySelectorAll(what)];
const L = JSON.parse($("lesson").textContent), N = L.n, P = L.p, S = L.s;
const first = L.f, end = first + S.length;
S.forEach((s, i) => Object.assign(s, { i: first + i, k: s.k ?? "c", c: s.c ?? s.a, p: P.find(p => first + i < p.e) }));
const step = at => S[at - first];

// Markup: every hole is escaped, but for what is markup itself.
const esc = text => `${text ?? ""}`.replace(/[&<]/g, sign => `&#${sign.charCodeAt()};`);
const raw = markup => ({ markup });
const html = (texts, ...holes) => raw(texts.reduce((done, text, i) =>
  done + [holes[i - 1]].flat().map(hole => hole?.markup ?? esc(hole)).join("") + text));
const put = (element, { markup }) => element.innerHTML = markup;
const each = (list, draw) => (list ?? []).map(draw);

// Texts of the table, their holes filled with what stands in the step.
const label = node => N[node].l;
const made = node => N[node].e && N[node].e != label(node) ? label(node) + " = " + N[node].e : label(node);
const named = (hole, s) => ({ c: s.p.o, e: N[s.n]?.e, g: N[s.n]?.r })[hole] ?? label({ a: s.n, b: s.t }[hole] ?? N[s.n].o[hole]);
const say = (ref, s) => L.t[ref].replace(/¦(\w)/g, (_, hole) => named(hole, s));
const math = (ref, s) => raw(`<math>${L.t[ref].replace(/¦(.)|{(.*?)}/g, (_, hole, sign) =>
  sign ? `<mo>${sign}</mo>` : hole == "#" ? `<mn>${esc(s.w[s.at++])}</mn>` : `<mi>${esc(named(hole, s))}</mi>`)}</math>`);
const partial = (above, below) => html`<math><mfrac>${each([above, below], name => html`<mrow><mo>∂</mo><mi>${name}</mi></mrow>`)}</mfrac></math>`;

// The graph: boxes, and wires from each to its operands.
const WIDE = 13, HIGH = 3.3, tree = $("tree");
const boxes = L.b.map(([node, use, level, row]) => {
  const box = document.createElement("button");
  box.title = made(node) + " · " + (N[node].r ?? "");
  put(box, html`<b></b><span></span><span class=c></span>`);
  box.onclick = () => visit(node);
  tree.append(box);
  return { node, use, level, row, box };
});
const boxOf = (node, use) => boxes.find(box => box.node == node && (box.use < 0 || box.use == use));

// To the right or down, whichever leaves more room for the boxes.
const layOut = () => {
  const { clientWidth: w, clientHeight: h } = $("graph");
  const [levels, rows] = ["level", "row"].map(key => Math.max(0, ...boxes.map(box => box[key])));
  const sizes = [[levels * 16 + WIDE, rows * 4 + HIGH], [rows * 13.8 + WIDE, levels * 5.3 + HIGH]];
  const fits = sizes.map(([x, y]) => Math.min((w - 24) / x, (h - 24) / y, 26));
  const down = fits[1] > fits[0], [x, y] = sizes[+down], size = Math.max(fits[+down], 12);
  const place = ({ level, row }) => down ? [row * 13.8, level * 5.3] : [level * 16, row * 4];
  let paths = "";
  for (const from of boxes) {
    const [left, top] = place(from), { node, use, box } = from;
    box.style.left = left + "em";
    box.style.top = top + "em";
    if (use < 0) for (const operand of N[node].o ?? []) {
      const to = place(boxOf(operand, node)), a = to[0] - left, b = to[1] - top;
      paths += `<path id=w${node}-${operand} d="` + (down
        ? `M${left + WIDE / 2} ${top}c0-1 ${a} ${b + HIGH + 1} ${a} ${b + HIGH}"/>`
        : `M${left} ${top + HIGH / 2}c-1.6 0 ${a + WIDE + 1.6} ${b} ${a + WIDE} ${b}"/>`);
    }
  }
  tree.style = `font-size:${size}px;width:${x}em;height:${y}em;margin:${Math.max((h - y * size) / 2, 12)}px auto`;
  $("wires").setAttribute("viewBox", `0 0 ${x} ${y}`);
  put($("wires"), raw(paths));
};

// What stands in the graph is a function of the cursor.
const drawGraph = at => {
  const now = step(at), sums = {}, left = {}, there = N.map(node => !node.e || node.c);
  if (shown(at).b <= first) N.forEach((node, i) => { if (node.g) [sums[i], left[i]] = node.g; });
  for (const s of S.slice(0, at - first)) {
    if (s.k == "f") there[s.n] = 1;
    if (s.p == shown(at) && s.a) sums[s.t] = s.a, left[s.t] = s.l;
  }
  all("path").forEach(path => path.classList.toggle("to", path.id == `w${now?.n}-${now?.t}`));
  for (const { node, use, box } of boxes) {
    const sum = sums[node], sends = now?.n == node, gets = now?.a && now.t == node;
    const to = gets && (use < 0 || use == now.n), full = sum && !left[node];
    const sign = N[node].q ? "·" : sends && now.k == "c" ? "▶" : !sum ? "○" : full ? "●" : "◐";
    const texts = [sign + " " + made(node), there[node] ? N[node].v : "", gets ? (sum ?? "") + " → " + now.a : sum ? "∂ " + sum : ""];
    // quiz: if (gets && isOpen(now)) texts[2] = (sum ?? "") + " → ?";
    texts.forEach((text, i) => { if (box.children[i].textContent != text) box.children[i].textContent = text; });
    box.className = ["box", N[node].o || "leaf", full && "full", to && "to", sends && "at", hits[hit]?.box == box && "hit"].join(" ");
    box.tabIndex = to || sends ? 0 : -1;
    if (to || sends) box.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
};

// The step in words and figures.
const row = (name, sign, figure, why) => html`<tr><td>${name}<td>${sign}<td>${figure}<td class=dim>${why}`;
const tell = s => {
  s.at = 0;
  // quiz: if (isOpen(s)) return question(s);
  const to = s.k == "c" && partial(s.p.o, label(s.t)), [before, sent, after] = s.f ?? [s.b, s.c, s.a];
  return html`<h2>${say(s.h, s)}</h2>${s.d && html`<table class=rule><tr><td class=c>${to}<td>+=<td class=u>${partial(s.p.o, label(s.n))}<td>·<td class=d>${partial(label(s.n), label(s.t))}<tr class=figures><td class=c><b>${s.c}</b><td>=<td class=u><b>${s.u}</b><td>×<td class=d><b>${s.d}</b><tr class=dim><td>sent<td><td>upstream<td><td>local</table>`
  }${each(s.m, ref => html`<div class=maths>${math(ref, s)}</div>`)
  }<div class="maths arrays">${each(s.r, ([sign, name, role, shape, rows]) => html`<a>${sign}<div class=${role}>${math(name, s)}<table>${rows.map(cells => html`<tr>${cells.map(cell => html`<td>${cell}`)}`)}</table>${shape}</div></a>`)
  }</div>${to ? html`<table class=sum>${row("so far", "", before ?? "–", s.y ? "from " + s.y : "nothing yet")}${row("this step", "+", sent, "from " + label(s.n))}${row(to, "=", after, s.l ? s.l + " to come" : "complete")}</table>` : ""
  }<p>${say(s.x, s)}</p><ul class=dim>${each(s.o, ref => html`<li>${say(ref, s)}`)}</ul><p class=u>${N[s.n]?.h}`;
};
const drawStep = at => {
  const now = step(at), over = P.find(p => p.e == at), p = now?.p ?? P.at(-1), turns = P.at(-1).i ?? 1;
  put($("step"), html`${over && html`<p class=dim>${over.t ?? over.m} done</p>${each(over.g, ([name, grad]) => html`<p><b>${name}.grad = ${grad}</b>`)}`
  }<p class=dim>${turns > 1 ? `iteration ${p.i ?? 1} of ${turns} · ` : ""}${now ? (p.t ?? p.m) + " · " : "the end: "}${at} of ${L.z} done${now && ", about to run:"}</p>${now ? tell(now) : L.c}`);
};
const drawSource = at => {
  const [from, to, file = 0] = N[step(at)?.n]?.m ?? [0, 0];
  if (!L.src[file]) return;
  const [name, text] = L.src[file], cut = (a, b) => [...text].slice(a, b).join("");
  put($("source"), html`<p class=dim>Source · ${name}<pre>${cut(0, from)}<mark>${cut(from, to)}</mark>${cut(to)}`);
};

// Moving.
let cursor, later, hits = [], hit = 0;
const shown = at => step(Math.max(at - 1, first)).p;
const isSame = at => step(at)?.k == "c" && step(at - 1)?.k == "c" && step(at).n == step(at - 1).n;
const go = to => {
  // quiz: to = held(to);
  cursor = $("slider").value = Math.max(first, Math.min(end, to));
  drawGraph(cursor);
  drawStep(cursor);
  drawSource(cursor);
  // quiz: afterwards(step(cursor));
  $("place").textContent = cursor + "/" + L.z;
  const output = (P.find(p => p.o && p.e >= cursor) ?? P.findLast(p => p.o))?.o;
  $("legend").textContent = output ? `value left, ∂${output}/∂node right` : "";
  P.forEach((p, i) => $("passes").children[i].className = p.e <= cursor ? "past" : p.b <= cursor ? "now" : "");
  clearTimeout(later);
  if (location.protocol != "about:") later = setTimeout(() => history.replaceState(0, "", "#" + cursor), 200);  // browsers limit how often
};
const visit = node => go(S.find(s => s.i > cursor && (s.n == node || s.t == node))?.i ?? cursor);
const moves = {
  s: ["one contribution", () => go(cursor + 1)],
  S: ["one step back", () => go(cursor - 1)],
  n: ["next node", () => { let to = cursor + 1; while (isSame(to)) to++; go(to); }],
  N: ["one node back", () => { let to = cursor - 1; while (isSame(to)) to--; go(to); }],
  f: ["end of this pass", () => go(step(cursor)?.p.e ?? end)],
  F: ["start of this pass", () => go(shown(cursor).b)],
  r: ["restart", () => go(first)],
  g: ["go to 120, 50%, +10 or a name", () => ask("g", goTo)],
  "/": ["search", () => ask("/", search)],
  "]": ["next match", () => show(hit + 1)],
  "[": ["previous match", () => show(hit - 1)],
  "?": ["these keys", () => $("help").showModal()],
};
const same = { " ": "n", ArrowRight: "s", ArrowLeft: "S", Home: "r" };
const ask = (key, answer) => {
  const dialog = $("ask"), [span, input, trouble] = all("#ask :is(span,input,p)");
  span.textContent = moves[key][0];
  trouble.textContent = input.value = "";
  dialog.onsubmit = event => {
    trouble.textContent = answer(input.value.trim());
    if (trouble.textContent) event.preventDefault();
  };
  dialog.showModal();
};
const goTo = text => {
  const place = /^([+-]?)(\d+)(%?)$/.exec(text), node = N.findLastIndex(node => node.l == text);
  const s = S.find(s => s.n == node || s.t == node);
  if (!place && !s) return `“${text}” is no place`;
  go(!place ? s.i : place[3] ? Math.round(L.z * place[2] / 100) : place[1] ? cursor + +text : +text);
};
const search = text => {
  hits = boxes.filter(({ box }) => box.title.toLowerCase().includes(text.toLowerCase()));
  if (!hits[0]) return `“${text}” is nowhere`;
  show(0);
};
const show = to => {
  if (!hits[0]) return;
  hit = (to + hits.length) % hits.length;
  go(cursor);
  hits[hit].box.scrollIntoView({ block: "center", inline: "center" });
  $("place").textContent = `${hit + 1} of ${hits.length}: ${label(hits[hit].node)}`;
};

// Setting up.
onkeydown = event => {
  // quiz: if (event.target.id == "answer") return void (event.key == "Escape" && event.target.blur());
  const move = moves[event.key] ?? moves[same[event.key]];
  if (!move || event.ctrlKey || event.metaKey || event.altKey || all("[open]")[0]) return;
  event.preventDefault();
  move[1]();
};
all("[value]").forEach(button => [button.title, button.onclick] = [button.ariaLabel] = moves[button.value]);
put(all("#help table")[0], html`${Object.keys(moves).map(key => html`<tr><td><b>${key}</b><td>${moves[key][0]}`)}`);
put($("passes"), html`${P.map(p => html`<button>${p.m}</button>`)}`);
all("#passes *").forEach((button, i) => {
  button.title = P[i].t ?? "";
  button.onclick = () => go(P[i].b);
  button.style.flexGrow = P[i].e - P[i].b;
});
$("by").textContent = L.by;
put($("notes"), raw(L.a));
const slider = $("slider");
[slider.min, slider.max] = [first, end];
slider.oninput = () => go(+slider.value);
let finger;
$("step").ontouchstart = event => finger = event.touches[0];
$("step").ontouchend = event => {
  const { clientX, clientY } = event.changedTouches[0], by = finger.clientX - clientX;
  if (Math.abs(by) > 60 && Math.abs(finger.clientY - clientY) < 40) go(cursor + Math.sign(by));
};
const address = () => go(+(location.hash.slice(1) || L.at));
onhashchange = address;
onbeforeprint = () => put($("all"), html`${S.map(s => html`<article>${tell(s)}</article>`)}`);
// quiz: onbeforeprint = () => put($("all"), html`${S.filter(s => s.i <= cursor).map(s => html`<article>${tell(s)}</article>`)}`);
new ResizeObserver(() => { layOut(); go(cursor); }).observe($("graph"));
layOut();
address();
