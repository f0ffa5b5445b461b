// The list of conversations: the newest first, more of it as one scrolls, and what a search has found in its place.
import { el, fill, when } from './dom.js';
import { face } from './face.js';
import { call, target } from './wire.js';

const piece = 50; // conversations, and hits

/** conversationList is it. open is called with a conversation, and with a message's number if that was found. */
export function conversationList({ me, open, say }) {
  const known = new Map(); // id → conversation, of all that are in order or were asked for
  let order = [], whole = false, current = null, query = '', busy = false;
  const list = el('ul.list', { onscroll: () => { if (!query && list.scrollHeight - list.scrollTop - list.clientHeight < 600) more(); } });

  const keep = (c) => { const v = c.id === me ? { ...c, name: 'Note to self' } : c; known.set(c.id, v); return v; };
  const said = (m) => (m ? m.body || (m.attachments?.length ? 'a file' : m.deleted ? 'taken back' : '') : '');
  const entry = (c, time, text, act) => el('li', {}, el('button', { 'aria-current': String(c.id === current), onclick: act }, face(c.id, c.name), el('strong', {}, c.name), el('span.soft', {}, time ? when(time) : ''), el('span.last', {}, text),
    c.unread > 0 && el('span.badge', { 'aria-label': `${c.unread} unread` }, String(c.unread))));
  const row = () => [...list.children].findIndex((li) => li.contains(document.activeElement)); // which has the focus
  const draw = () => {
    const all = order.map((id) => known.get(id)), unread = all.reduce((n, c) => n + (c.unread ?? 0), 0);
    document.title = unread ? `(${unread}) Messenger` : 'Messenger';
    if (query) return; // what was searched for stays
    const focused = row(), top = list.scrollTop;
    fill(list, all.map((c) => entry(c, c.lastTime, `${c.accepted || !c.lastSeq ? '' : 'Request: '}${said(c.last)}`, () => open(c))));
    list.scrollTop = top;
    if (focused >= 0) list.children[focused]?.firstChild.focus();
  };

  /** refresh reads the newest ones anew, and those of ids that are further down: one after the other, so that no answer comes after a newer one. */
  let reading = Promise.resolve();
  const refresh = (ids) => { const one = reading.then(() => read(ids)); reading = one.catch(() => {}); return one; };
  const read = async (ids = []) => {
    const top = (await call('listConversations', { limit: piece })).map((c) => keep(c).id);
    if (!order.length) whole = top.length < piece;
    order = [...top, ...order.filter((id) => !top.includes(id))];
    await Promise.all(ids.filter((id) => !top.includes(id) && known.has(id)).map((id) => ask(id)));
    draw();
  };
  const ask = async (id) => keep((await call('listConversations', target(id)))[0]);
  const more = async () => {
    if (busy || whole) return;
    busy = true;
    try {
      const next = await call('listConversations', { after: order.at(-1), limit: piece });
      whole = next.length < piece;
      order.push(...next.map((c) => keep(c).id).filter((id) => !order.includes(id)));
      draw();
    } catch (e) { say(e.message); }
    busy = false;
  };
  const get = async (id) => known.get(id) ?? ask(id);

  /** search looks for a text in names and messages; an empty one ends it. */
  const search = async (text, before = 0) => {
    query = text.trim();
    if (!query) return draw();
    const found = await call('searchMessages', { query, before, limit: piece });
    const people = await Promise.all(found.map((m) => get(m.conversation)));
    if (query !== text.trim()) return; // a later letter was faster
    const hits = found.map((m, i) => entry({ ...people[i], unread: 0 }, m.timestamp, m.body || m.attachments?.[0]?.fileName, () => open(people[i], m.seq)));
    const named = before ? [] : [...known.values()].filter((c) => c.name.toLowerCase().includes(query.toLowerCase())).map((c) => entry(c, 0, '', () => open(c)));
    const focused = row();
    if (before) list.lastChild.remove(); else list.replaceChildren();
    list.append(...named, ...hits, ...(found.length === piece ? [el('li', {}, el('button.more', { onclick: () => search(text, found.at(-1).seq).catch((e) => say(e.message)) }, 'More'))] : []));
    if (!list.children.length) list.append(el('li.soft.empty', {}, `Nobody and nothing has “${query}” in it.`));
    if (focused >= 0) list.children[focused]?.firstChild.focus?.();
  };
  return {
    element: list, refresh, get, search,
    name: (id) => known.get(id)?.name,
    /** mark says which one is open; null: none. */
    mark(id) { current = id; for (const b of list.querySelectorAll('button[aria-current=true]')) b.setAttribute('aria-current', 'false'); draw(); },
    beside: (by) => known.get(order[Math.min(Math.max(order.indexOf(current) + by, 0), order.length - 1)]),
    focus(id) { list.children[order.indexOf(id)]?.firstChild.focus(); },
  };
}
