// A window on a conversation: some hundreds of its messages, wherever one is in it. What is far away is dropped, and comes again as one scrolls there.
import { el, same } from './dom.js';
import { call } from './wire.js';

const piece = 50, most = 250; // messages
const near = 800, low = 120; // pixels: from where on more is fetched, and what still counts as the bottom
const none = 'There is nothing here yet.';

/** messages shows those of target (parameters of a call). draw makes an element of one, lines says what stands above one (of the one before it, too), end is told when the newest ones are seen. */
export function messages({ target, name, draw, lines, end, say }) {
  const rows = []; // {m, e}, the oldest first
  let first = false, last = false; // is the first message of all, is the newest one among them
  let turn = 0, busy = null, pinned = true, fresh = 0;
  const inner = el('div.rows', {});
  const log = el('div.log', { role: 'log', 'aria-live': 'off', 'aria-label': `Messages with ${name}`, onscroll: () => { pinned = last && below() < low; seen(); fetchMore(); }, onkeydown: (e) => keys(e) }, inner);
  const down = el('button.down', { hidden: true, onclick: () => newest() }, '↓');
  const below = () => log.scrollHeight - log.scrollTop - log.clientHeight;
  const seen = () => {
    if (pinned && log.isConnected) { fresh = 0; end(); }
    down.hidden = pinned || !rows.length || (last && below() < log.clientHeight);
    down.textContent = fresh ? `↓ ${fresh} new` : '↓';
    down.setAttribute('aria-label', fresh ? `To the newest messages: ${fresh} are new` : 'To the newest messages');
  };

  /** hold does something and keeps what one reads where it is. */
  const hold = (f) => {
    if (pinned) { f(); log.scrollTop = log.scrollHeight; return; }
    const top = log.getBoundingClientRect().top, row = rows.find((r) => r.e.getBoundingClientRect().bottom > top), was = row?.e.getBoundingClientRect().top;
    f();
    if (row?.e.isConnected) log.scrollTop += row.e.getBoundingClientRect().top - was;
  };
  const find = (seq) => rows.findIndex((r) => r.m.seq === seq);
  const put = (m) => {
    const have = rows[find(m.seq)], e = draw(m);
    e.tabIndex = -1;
    if (have) {
      const old = have.e, focused = old.contains(document.activeElement) && document.activeElement;
      old.replaceWith(e);
      Object.assign(have, { m, e });
      if (focused) e.focus({ preventScroll: true }); // then its buttons are there to be seen
      if (focused && focused !== old) same(focused, e)?.focus({ preventScroll: true });
      return;
    }
    let i = rows.length;
    while (i > 0 && rows[i - 1].m.seq > m.seq) i--;
    if (i < rows.length) rows[i].e.before(e); else inner.append(e);
    rows.splice(i, 0, { m, e });
  };
  const drop = (from, n = rows.length) => { for (const r of rows.splice(from, n)) r.e.remove(); };
  /** rule draws again what stands between the messages, and lets Tab come to one of them. */
  const rule = () => {
    for (const e of inner.querySelectorAll(':scope > .line')) e.remove();
    rows.forEach((r, i) => r.e.before(...lines(r.m, rows[i - 1]?.m)));
    inner.append(...(last ? lines(null, rows.at(-1)?.m) : []));
    if (!rows.length && first && last) inner.append(el('p.line.soft', {}, none));
    if (rows.length && !rows.some((r) => r.e.tabIndex === 0)) rows.at(-1).e.tabIndex = 0;
  };
  let asking = 0;
  const meanwhile = []; // what happened while something was asked for, whose answer may be from before: it is done when that is in
  const ask = (params) => {
    asking++;
    return call('listMessages', { ...target, limit: piece, ...params }).finally(() => { asking--; setTimeout(() => { if (!asking) for (const f of meanwhile.splice(0)) f(); }); });
  };
  const later = (f) => { if (asking || meanwhile.length) meanwhile.push(f); else f(); };

  /** fetchMore goes on in the direction in which little is left. */
  const fetchMore = () => {
    if (busy || !rows.length) return;
    const up = !first && log.scrollTop < near;
    if (!up && (last || below() >= near)) return;
    const now = turn;
    busy = (async () => {
      try {
        const list = await ask(up ? { before: rows[0].m.seq } : { after: rows.at(-1).m.seq });
        if (now !== turn) return;
        if (list.length < piece) { if (up) first = true; else last = true; }
        hold(() => {
          for (const m of up ? list.reverse() : list) put(m);
          if (rows.length > most && up) { drop(most); last = false; }
          if (rows.length > most && !up) { drop(0, rows.length - most); first = false; }
          rule();
        });
        if (list.length) setTimeout(fetchMore); // a screen may hold more
      } catch (e) { say(e.message); }
    })().finally(() => { busy = null; });
  };

  /** show begins anew with what is asked for. */
  const show = async (...parts) => {
    const now = ++turn, lists = await Promise.all(parts.map(ask));
    if (now !== turn) return false;
    drop(0, rows.length);
    first = last = false;
    parts.forEach((p, i) => {
      const whole = lists[i].length < (p.limit ?? piece);
      if (p.after === undefined) { if (whole) first = true; if (p.before === undefined) last = true; } else if (whole) last = true;
      for (const m of lists[i]) put(m);
    });
    rule();
    return true;
  };
  const newest = async () => {
    try { if (!await show({})) return; } catch (e) { return say(e.message); }
    pinned = true;
    log.scrollTop = log.scrollHeight;
    seen();
  };
  /** jump goes to a message, however far it is. */
  const jump = async (seq) => {
    if (find(seq) < 0) {
      try { if (!await show({ before: seq + 1, limit: piece / 2 }, { after: seq, limit: piece / 2 })) return; } catch (e) { return say(e.message); }
    }
    const row = rows[find(seq)];
    if (!row) return say('That message is not here any more.');
    pinned = false;
    row.e.scrollIntoView({ block: 'center' });
    step(row);
    row.e.classList.add('found');
    setTimeout(() => row.e.classList.remove('found'), 2500);
    seen();
    fetchMore();
  };

  // With keys: one message at a time has the focus, and only its buttons are in the way of Tab.
  const step = (row) => {
    for (const r of rows) r.e.tabIndex = r === row ? 0 : -1;
    row.e.focus({ preventScroll: true });
    row.e.scrollIntoView({ block: 'nearest' });
  };
  const keys = (e) => {
    const at = rows.findIndex((r) => r.e === e.target), to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[e.key];
    if (at < 0 || to === undefined || e.altKey || e.ctrlKey || e.metaKey || !rows[to]) return;
    e.preventDefault();
    step(rows[to]);
  };
  inner.addEventListener('focusin', (e) => { const row = rows.find((r) => r.e.contains(e.target)); if (row) for (const r of rows) r.e.tabIndex = r === row ? 0 : -1; });

  // Pictures that come late, a text field that grows, a keyboard on the screen: the bottom stays the bottom.
  const sizes = new ResizeObserver(() => { if (pinned) log.scrollTop = log.scrollHeight; });
  sizes.observe(inner);
  sizes.observe(log);
  return {
    element: el('div.window', {}, log, down), newest, jump,
    /** add takes in a message that has just come. */
    add: (m) => later(() => {
      if (!last && m.outgoing) return newest();
      if (!pinned && !m.outgoing && m.kind === 'text') fresh++;
      if (last) hold(() => { put(m); if (m.outgoing) pinned = true; if (pinned && rows.length > most) { drop(0, rows.length - most); first = false; } rule(); });
      if (last && m.outgoing) log.scrollTop = log.scrollHeight;
      seen();
    }),
    /** change draws one again that is there. */
    change: (m) => later(() => { if (find(m.seq) >= 0) hold(() => { put(m); rule(); }); }),
    remove: (seq) => later(() => { if (find(seq) >= 0) hold(() => { drop(find(seq), 1); rule(); }); }),
    rule: () => hold(rule),
    shown: () => rows.map((r) => r.m),
  };
}
