// The page: a list of conversations beside what is open.
import { about } from './about.js';
import { el, fill, when } from './dom.js';
import { first, unlock } from './door.js';
import { face, forget } from './face.js';
import { keys } from './keys.js';
import { settings } from './settings.js';
import { talk, target } from './talk.js';
import { call, connect, enter, listen } from './wire.js';

const root = document.getElementById('app');
let contacts = new Map(), conversations = [], open = null, onEvent = null, frame = null, me = '';
let query = null; // where one searches
const called = (number) => (number === me ? 'you' : contacts.get(number) ?? number);

async function start() {
  const { state } = await call('status');
  onEvent = open = frame = null;
  if (state === 'locked') return unlock(root, start);
  if (state === 'none') return first(root, start);
  return house();
}

const list = el('ul.list', {}), main = el('section.main', { 'aria-label': 'Open conversation' }), bar = el('div.bar', { role: 'status', hidden: true });
let quiet = 0;
function say(text) {
  bar.textContent = text;
  bar.hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => { bar.hidden = true; }, 8000);
}

const nobody = () => fill(main, el('p.center.soft', {}, 'Choose a conversation, or write to somebody.'));
const back = () => { frame.classList.remove('inside'); open = onEvent = null; nobody(); draw(); };
function show(what) {
  frame.classList.add('inside');
  open = onEvent = null;
  const panel = el('div.panel', {}), body = el('div', {});
  panel.append(el('button.back', { onclick: back }, '←'), body);
  fill(main, panel);
  main.ondrop = main.ondragover = null;
  draw();
  what(body, say).catch((e) => say(e.message));
}
function enterTalk(c) {
  open = c.id;
  frame.classList.add('inside');
  onEvent = talk(main, c, called, say, back, me, () => enterTalk(conversations.find((x) => x.id === c.id) ?? c));
  draw();
}

function draw() {
  if (query?.value.trim()) return; // what was searched for stays
  fill(list, conversations.map((c) => el('li', {}, el('button', { 'aria-current': String(c.id === open), onclick: () => enterTalk(c) }, face(c.id, c.name), el('strong', {}, c.name), el('span.soft', {}, c.lastTime ? when(c.lastTime) : ''),
    el('span.last', {}, c.accepted ? '' : 'Request: ', c.last ? c.last.body || (c.last.attachments?.length ? 'a file' : '') : ''), c.unread > 0 && el('span.badge', { 'aria-label': `${c.unread} unread` }, String(c.unread)))))),
  document.title = conversations.some((c) => c.unread) ? `(${conversations.reduce((n, c) => n + (c.unread ?? 0), 0)}) Messenger` : 'Messenger';
}

let asking = null;
/** refresh reads the list anew, once for many events. */
function refresh() {
  asking ??= (async () => {
    await new Promise((r) => setTimeout(r, 100));
    asking = null;
    try {
      const [people, all] = await Promise.all([call('listContacts'), call('listConversations')]);
      contacts = new Map(people.map((k) => [k.number, k.name || k.profileName || k.username || k.number]));
      conversations = all.map((c) => (c.id === me ? { ...c, name: 'Note to self' } : c));
      draw();
    } catch (e) { if (e.code !== -5) say(e.message); }
  })();
  return asking;
}

async function search(text) {
  if (!text.trim()) return draw();
  const found = await call('searchMessages', { query: text, limit: 50 });
  if (query.value !== text) return; // a later letter was faster
  const named = conversations.filter((c) => c.name.toLowerCase().includes(text.toLowerCase()));
  fill(list, named.map((c) => el('li', {}, el('button', { onclick: () => enterTalk(c) }, face(c.id, c.name), el('strong', {}, c.name)))), found.map((m) => {
    const c = conversations.find((x) => x.id === m.conversation);
    return c && el('li', {}, el('button', { onclick: () => enterTalk(c) }, face(c.id, c.name), el('strong', {}, c.name), el('span.soft', {}, when(m.timestamp)), el('span.last', {}, m.body)));
  }));
}

async function write() {
  const to = prompt('Number, username, or the name you gave somebody; for a group: its members, with commas between');
  if (!to) return;
  try {
    const names = to.split(',').map((s) => s.trim()).filter(Boolean);
    if (names.length > 1) {
      const name = prompt('What is the group called?');
      if (!name) return;
      await call('updateGroup', { name, members: names });
      await refresh();
      return;
    }
    const { conversation } = await call('resolve', { name: names[0] });
    enterTalk(conversations.find((c) => c.id === conversation) ?? { id: conversation, name: called(conversation), accepted: true });
  } catch (e) { say(e.message); }
}

async function house() {
  me = (await call('getProfile')).number;
  query = el('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search conversations and messages', oninput: () => search(query.value).catch((e) => say(e.message)) });
  nobody();
  frame = el('div.frame', {}, el('nav.side', { 'aria-label': 'Conversations' }, el('header', {}, el('button.primary', { onclick: write }, 'Write'), el('button', { onclick: () => enterTalk({ id: me, name: 'Note to self', accepted: true }) }, 'Notes'), el('button', { onclick: () => show(settings) }, 'Settings'), el('button', { onclick: () => show(about) }, 'Audited?'), query), bar, list), main);
  fill(root, frame);
  await refresh();
}

function notify(e) {
  const c = conversations.find((x) => x.id === e.conversation);
  if (document.hasFocus() || e.message.outgoing || e.message.kind !== 'text' || c?.muted || typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  new Notification('Messenger', { body: `A message from ${c?.name ?? called(e.message.author)}`, tag: e.conversation }); // what it says stays here
}

listen((method, p) => {
  if (method === 'over') return fill(root, el('p.center', {}, "This page is over. Run 'messenger open' again."));
  if (method === 'locked' && frame) { frame = null; return unlock(root, start); }
  if (method === 'unlocked' || method === 'opened' || method === 'ready') { if (!frame || method === 'ready') start().catch((e) => say(e.message)); return; }
  if (method === 'away') return say('The messenger does not answer; waiting for it…');
  if (method === 'update') return say(`Update ${p.version ?? ''}: ${p.total ? `${Math.round((100 * p.done) / p.total)} %` : p.text}`);
  if (method !== 'event' || !frame) return;
  onEvent?.(p);
  if (p.conversation?.startsWith('group:') && p.message?.kind === 'notice') forget(p.conversation);
  if (p.type === 'message') notify(p);
  if (p.type === 'connection') say(p.connected ? 'Connected.' : `Not connected: ${p.why ?? ''}`);
  if (p.type !== 'typing') refresh();
});

// Idle: who leaves the screen alone is asked for the passphrase.
let touched = Date.now();
for (const t of ['keydown', 'pointerdown', 'pointermove', 'wheel']) addEventListener(t, () => { touched = Date.now(); }, { passive: true });
setInterval(() => { if (frame && Date.now() - touched > 15 * 60e3) call('lock').catch(() => {}); }, 10e3);
setInterval(() => { if (frame && Date.now() - touched < 60e3) call('version').catch(() => {}); }, 60e3); // reading is use, too
keys({
  search: () => (frame ? query.focus() : false),
  write: () => (frame ? void write() : false),
  back: () => { if (!frame) return false; const at = conversations.findIndex((c) => c.id === open); query.value = ''; back(); (list.querySelectorAll('button')[at] ?? query).focus(); },
  step: (by) => {
    if (!frame || !conversations.length) return false;
    const at = conversations.findIndex((c) => c.id === open);
    enterTalk(conversations[Math.min(Math.max(at + by, 0), conversations.length - 1)]);
  },
});

try {
  await enter();
  connect();
} catch (e) {
  fill(root, el('p.center', {}, e.message));
}
