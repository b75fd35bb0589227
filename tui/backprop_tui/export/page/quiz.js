// Asks before it shows. What is to come stays closed: no way leads past an open question.
const FUNCTIONS = { exp: Math.exp, log: Math.log, ln: Math.log, sqrt: Math.sqrt, sin: Math.sin, cos: Math.cos, tan: Math.tan, tanh: Math.tanh, abs: Math.abs, relu: x => Math.max(x, 0), sigmoid: x => 1 / (1 + Math.exp(-x)) };
const NUMBER = /(?<![\w.)%])-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])/gi;
const isOpen = s => s?.q && !s.done;
const held = to => {
  const open = S.find(s => isOpen(s) && s.i < to);
  return open ? open.i : to;
};
const asked = () => S.filter(s => s.q);

// One question: what was said of the last answer, and how many hints were given.
const question = s => html`<h2>${say(s.q.q, s)}</h2>${each(s.q.v, array => html`<p><code>${array}</code>`)}
<form id=quiz><input id=answer autocomplete=off maxlength=200 aria-label=answer placeholder="what? a number, or algebra with g"><button>judge</button><button type=button value=hint>hint</button><button type=button value=show>show</button></form>
${s.said && html`<p class=wrong role=alert>✗ ${s.said}</p>`}${each(s.q.t.slice(0, s.hints ?? 0), (ref, i) => html`<p>hint ${i + 1}: ${say(ref, s)}</p>`)}<p class=dim>${score()}</p>`;
const score = () => {
  const done = asked().filter(s => s.done), right = done.filter(s => s.done == 1).length;
  return `${right} of ${done.length} right at once · ${asked().length - done.length} to come`;
};
const afterwards = s => {
  $("notes").hidden = cursor < end;
  const form = $("quiz");
  const told = s ? ["", "✓ right", "✓ right in the end", "shown"][s.done ?? 0] : score();
  if (told) $("step").insertAdjacentHTML("afterbegin", html`<p class=right role=status>${told}`.markup);
  if (!form) return;
  form.onsubmit = event => {
    event.preventDefault();
    judge(s, $("answer").value);
  };
  all("#quiz [value]").forEach(button => button.onclick = () => {
    if (button.value == "show") close(s, 3);
    else s.hints = Math.min((s.hints ?? 0) + 1, 3), go(cursor);
  });
  $("answer").focus({ preventScroll: true });
};
const close = (s, how) => {
  s.done = how;
  go(cursor);
};

// An answer: numbers are judged by the digits that were typed, algebra at several points.
const judge = (s, text) => {
  const written = text.replaceAll("−", "-"), typed = written.match(NUMBER) ?? [];
  const isPlain = typed[0] && !/[^\s,;[\]]/.test(written.replace(NUMBER, ""));
  const { r, g, w } = s.q;
  let agrees;
  if (isPlain) agrees = (values, at) => at > 0 || values.length == typed.length && values.every((value, i) => isNear(typed[i], value));
  else {
    const points = r.map((_, at) => evaluate(written, name => N.find(node => node.l == name)?.z?.[at] ?? { g: g[at], upstream: g[at] }[name]));
    if (points.some(Number.isNaN)) return again(s, "this cannot be read: take numbers, names in the graph, g for the upstream gradient, + - * / ** and functions such as exp");
    agrees = (values, at) => values.every(value => Math.abs(value - points[at]) <= 1e-6 * Math.abs(points[at]) + 1e-12);
  }
  if (isPlain && typed.length != r[0].length) return again(s, `the answer has ${r[0].length == 1 ? "one number" : r[0].length + " numbers"}`);
  if (r.every(agrees)) return close(s, s.missed || s.hints ? 2 : 1);
  const meant = w.filter(([, ...values]) => values.every(agrees)).map(([ref]) => say(ref, s));
  s.missed = true;
  again(s, [...new Set(meant)].join("; or ") || (agrees(r[0], 0) ? "right at these numbers, not in general" : "not yet"));
};
const again = (s, said) => {
  const text = $("answer").value;
  s.said = said;
  go(cursor);
  $("answer").value = text;
  $("answer").select();
};
const isNear = (text, value) => {
  const [digits, exponent = 0] = text.toLowerCase().split("e"), unit = 10 ** (exponent - (digits.split(".")[1] ?? "").length);
  const count = digits.replace(/[-.]/g, "").replace(/^0+/, "").length;
  return Math.abs(text - value) <= Math.max(count > 1 ? .51 * unit : 0, 1e-6 * Math.abs(text));
};

// The usual arithmetic; NaN where something is not understood.
const evaluate = (text, valueOf) => {
  const tokens = text.match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\*\*|[a-z_%][\w.@]*|\S/gi) ?? [];
  let at = 0;
  const take = sign => tokens[at] == sign && ++at;
  const sum = () => {
    let x = product();
    for (;;) if (take("+")) x += product(); else if (take("-")) x -= product(); else return x;
  };
  const product = () => {
    let x = signed();
    for (;;) if (take("*")) x *= signed(); else if (take("/")) x /= signed(); else return x;
  };
  const signed = () => take("-") ? -signed() : power();
  const power = () => {
    const x = atom();
    return take("**") || take("^") ? x ** signed() : x;
  };
  const inBrackets = () => {
    const x = sum();
    return take(")") ? x : NaN;
  };
  const atom = () => {
    const token = tokens[at++] ?? "";
    if (token == "(") return inBrackets();
    if (Object.hasOwn(FUNCTIONS, token) && take("(")) return FUNCTIONS[token](inBrackets());
    return /^[.\d]/.test(token) ? +token : valueOf(token) ?? NaN;
  };
  const x = sum();
  return at < tokens.length ? NaN : x;
};
