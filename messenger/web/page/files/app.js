// The page: a list of conversations beside what is open.
import { about } from './about.js';
import { details } from './details.js';
import { asking } from './dialog.js';
import { el, fill } from './dom.js';
import { first, unlock } from './door.js';
import { forget } from './face.js';
import { keys } from './keys.js';
import { conversationList } from './list.js';
import { settings } from './settings.js';
import { talk } from './talk.js';
import { verify } from './verify.js';
import { call, connect, enter, listen } from './wire.js';
import { write } from './write.js';

const root = document.getElementById('app');
let contacts = new Map(), list = null, open = null, shown = null, detail = null, frame = null, me = '';
let query = null; // where one searches
const called = (number) => { const k = contacts.get(number); return number === me ? 'you' : k?.name || k?.profileName || k?.username || number; };

let version = '', where = null; // which one runs; a way back to what is open
let starting = null, anew = false;
/** start draws the page from its beginning, and then what was open in it. What asks for that while it goes on has it done once more. */
function start() {
  anew = true;
  return starting ??= (async () => { try { while (anew) { anew = false; await build(); } } finally { starting = null; } })();
}

async function build() {
  const now = await call('status'), { state, unlinked } = now, news = version && now.version !== version && `The messenger is version ${now.version} now; it was ${version}.`;
  frame = null;
  if (state === 'locked') return unlock(root, start, news);
  version = now.version;
  if (state === 'none') return first(root, start);
  await house();
  if (unlinked) say(`${unlinked}.`, true);
  if (news) say(`${news} See “Audited?” for who vouches for it.`);
}

const main = el('section.main', { 'aria-label': 'Open conversation' }), bar = el('div.bar', { role: 'status', hidden: true });
let quiet = 0;
function say(text, stays) {
  bar.textContent = text;
  bar.hidden = false;
  clearTimeout(quiet);
  if (stays !== true) quiet = setTimeout(() => { bar.hidden = true; }, 8000);
}

const beside = el('aside.beside', { 'aria-label': 'Details', hidden: true }), wide = matchMedia('(min-width: 75rem)');
const leave = () => { open = shown = null; main.ondrop = main.ondragover = main.ondragleave = null; lookAt(null); };
const nobody = () => fill(main, el('p.center.soft', {}, 'Choose a conversation, or write to somebody.'));
const back = () => { where = null; frame.classList.remove('inside'); leave(); nobody(); list.mark(null); };
function show(what) {
  where = () => show(what);
  if (!frame) return; // it is being drawn, and comes here then
  frame.classList.add('inside');
  leave();
  const panel = el('div.panel', {}), body = el('div', {});
  panel.append(el('button.back', { onclick: back, 'aria-label': 'Back to the list' }, '←'), body);
  fill(main, panel);
  list.mark(null);
  what(body, say).catch((e) => say(e.message));
}
const again = async (id) => { try { await list.refresh([id]); enterTalk(await list.get(id)); } catch (e) { say(e.message); } };
/** enterTalk opens a conversation; at is the number of the message to go to. */
function enterTalk(c, at) {
  if (at && open === c.id && shown) return shown.jump(at);
  open = c.id;
  const here = where = async () => { const now = await list.get(c.id); if (where === here) enterTalk(now); };
  if (!frame) return;
  frame.classList.add('inside');
  shown = talk(main, c, { called, say, back, at, again: () => again(c.id), verify: c.id === me ? null : compare, details: () => look(c) });
  list.mark(c.id);
  lookAt(wide.matches && localStorage.getItem('details') !== 'off' ? c : null, beside);
}

/** compare leads to the comparison of somebody's safety number, and back to what was open. */
async function compare(number) {
  try {
    const c = await list.get(number), from = open;
    shown = null;
    frame.classList.add('inside');
    await verify(main, c, me, say, () => again(from ?? number));
  } catch (e) { say(e.message); }
}

/** lookAt shows the details of a conversation in place; of none if c is null. */
function lookAt(c, place = beside) {
  detail?.leave();
  detail = null;
  beside.hidden = !c || place !== beside;
  frame?.classList.toggle('three', !beside.hidden);
  if (!c) return beside.replaceChildren();
  const close = place === beside ? el('button.link.close', { 'aria-label': 'Close the details', onclick: () => look(c) }, '×') : el('button', { onclick: () => again(c.id) }, '← Back');
  detail = details(place, c, { called, trust: (n) => contacts.get(n)?.trust, me, say, close, verify: compare, open: async (n) => { try { enterTalk(await list.get(n)); } catch (e) { say(e.message); } },
    jump: (seq) => enterTalk(c, seq), changed: () => refresh(c.id) });
}

/** look shows or hides the details beside a conversation; where there is no room they stand in its place. */
async function look(c) {
  const now = await list.get(c.id);
  if (!wide.matches) { shown = null; return lookAt(now, main); }
  localStorage.setItem('details', beside.hidden ? 'on' : 'off');
  lookAt(beside.hidden ? now : null);
}
wide.addEventListener('change', () => {
  if (!wide.matches && !beside.hidden) lookAt(null);
  else if (wide.matches && shown && open && localStorage.getItem('details') !== 'off') list.get(open).then((c) => lookAt(c));
});

const people = async () => new Map((await call('listContacts')).map((k) => [k.number, k]));
let pending = null, running = null, stale = new Set(), renamed = true;
/** refresh reads the list anew, once for many events; which conversations they were about, and whether of people something may be new, is known then. */
function refresh(id, names = true) {
  if (id) stale.add(id);
  renamed ||= names;
  pending ??= (async () => {
    await new Promise((r) => setTimeout(r, 100));
    await running; // what comes meanwhile is read with the rest
    const ids = [...stale], all = renamed;
    pending = null;
    stale = new Set();
    renamed = false;
    await (running = (async () => {
      try {
        if (all) contacts = await people();
        await list?.refresh(ids);
        if (shown && list.name(open)) shown.rename(list.name(open));
      } catch (e) { if (e.code !== -5) say(e.message); }
    })());
  })();
  return pending;
}

async function begin() {
  try {
    contacts = await people();
    const id = await write([...contacts.values()].filter((k) => k.number !== me && !k.blocked).map((k) => ({ number: k.number, called: called(k.number) })));
    if (id) enterTalk(await list.get(id));
  } catch (e) { say(e.message); }
}

async function house() {
  me = (await call('getProfile')).number;
  list = conversationList({ me, open: enterTalk, say });
  query = el('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search conversations and messages', oninput: () => list.search(query.value).catch((e) => say(e.message)) });
  leave();
  nobody();
  frame = el('div.frame', {}, el('nav.side', { 'aria-label': 'Conversations' }, el('header', {}, el('button.primary', { onclick: begin }, 'Write'), el('button', { onclick: async () => enterTalk(await list.get(me)) }, 'Notes'), el('button', { onclick: () => show(settings) }, 'Settings'), el('button', { onclick: () => show(about) }, 'Audited?'), query), bar, list.element), main, beside);
  fill(root, frame);
  const there = where?.(); // it was away, or locked, meanwhile
  await refresh();
  await there;
}

async function notify(e) {
  if (document.hasFocus() || e.message.outgoing || e.message.kind !== 'text' || typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  const c = await list.get(e.conversation);
  if (!c.muted) new Notification('Messenger', { body: `A message from ${c.name ?? called(e.message.author)}`, tag: e.conversation }); // what it says stays here
}

listen((method, p) => {
  if (method === 'over') return fill(root, el('p.center', {}, "This page is over. Run 'messenger open' again."));
  if (method === 'locked' && frame) { frame = null; return unlock(root, start); }
  if (method === 'unlocked' || method === 'opened' || method === 'ready') { if (method === 'ready' || (!frame && !starting)) start().catch((e) => say(e.message)); return; }
  if (method === 'away') return say('The messenger does not answer; waiting for it…');
  if (method === 'update') return say(`Update ${p.version ?? ''}: ${p.total ? `${Math.round((100 * p.done) / p.total)} %` : p.text}`);
  if (method !== 'event' || !frame) return;
  shown?.event(p);
  detail?.event(p);
  if (p.conversation?.startsWith('group:') && p.message?.kind === 'notice') forget(p.conversation);
  if (p.type === 'message') notify(p).catch(() => {});
  if (p.type === 'connection') say(p.unlinked ? `${p.why}.` : p.connected ? 'Connected.' : `Not connected: ${p.why ?? ''}`, p.unlinked);
  const who = p.message?.author;
  if (p.type !== 'typing') refresh(p.conversation, p.type === 'conversation' || (who && who !== me && !contacts.has(who)));
});

// Idle: who leaves the screen alone is asked for the passphrase.
let touched = Date.now();
for (const t of ['keydown', 'pointerdown', 'pointermove', 'wheel']) addEventListener(t, () => { touched = Date.now(); }, { passive: true });
setInterval(() => { if (frame && Date.now() - touched > 15 * 60e3) call('lock').catch(() => {}); }, 10e3);
setInterval(() => { if (frame && Date.now() - touched < 60e3) call('version').catch(() => {}); }, 60e3); // reading is use, too
keys({
  search: () => (frame && !asking() ? query.focus() : false),
  write: () => (frame && !asking() ? void begin() : false),
  back: () => { if (!frame || asking()) return false; const was = open; query.value = ''; list.search(''); back(); if (was) list.focus(was); else query.focus(); },
  step: (by) => { const c = frame && !asking() && list.beside(by); if (!c) return false; enterTalk(c); },
});

try {
  await enter();
  connect();
} catch (e) {
  fill(root, el('p.center', {}, e.message));
}
