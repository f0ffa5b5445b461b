// The way to the messenger: requests, notifications, files. The token is in this tab only.
let token = sessionStorage.getItem('token');
const listeners = new Set();
let socket = null;
let pause = 500;

export const listen = (f) => { listeners.add(f); return () => listeners.delete(f); };
const tell = (method, params) => { for (const f of [...listeners]) f(method, params ?? {}); };

/** enter takes the key out of the address at once and exchanges it. */
export async function enter() {
  const key = location.hash.slice(1);
  history.replaceState(null, '', '/');
  if (key) {
    const r = await fetch('/token', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key }) });
    if (!r.ok) throw new Error(await r.text());
    keep((await r.json()).token);
  }
  if (!token) throw new Error("Run 'messenger open' on this computer to open this page.");
}

function keep(fresh) {
  token = fresh;
  sessionStorage.setItem('token', token);
}

export class Refused extends Error {
  constructor(error) { super(error.message); this.code = error.code; this.refusal = error.refusal; }
}

async function post(path, headers, body, keepalive) {
  const r = await fetch(path, { method: 'POST', headers: { Authorization: `Bearer ${token}`, ...headers }, body, keepalive: keepalive && body.length < 20000 });
  if (r.status === 401) { sessionStorage.removeItem('token'); tell('over'); }
  if (!r.ok) throw new Error(await r.text());
  return r;
}

/** call asks for a method of the messenger; last is what outlives the page: of at most 64 KiB. */
export async function call(method, params = {}, last = false) {
  const r = await (await post('/rpc', { 'Content-Type': 'application/json' }, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), last)).json();
  if (r.error) {
    if (r.error.code === -5 && method !== 'unlock') tell('locked');
    throw new Refused(r.error);
  }
  if (method === 'unlock' && r.result.token) { keep(r.result.token); connect(); }
  return r.result;
}

/** target says to a method which conversation is meant. */
export const target = (id) => (id.startsWith('group:') ? { groupId: id } : { recipient: [id] });

/** send is post where it matters how far it is: sent is told of the bytes that went, got of those that came; giveUp is given a function that gives it up. */
function send(path, headers, body, { sent, got, giveUp }) {
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open('POST', path);
    for (const [k, v] of Object.entries({ Authorization: `Bearer ${token}`, ...headers })) r.setRequestHeader(k, v);
    r.responseType = 'blob';
    if (sent) r.upload.onprogress = (e) => sent(e.loaded, e.total);
    if (got) r.onprogress = (e) => got(e.loaded, e.total);
    r.onerror = () => reject(new Error('The connection to the messenger broke off.'));
    r.onabort = () => reject(new Cancelled('Given up.'));
    r.onload = async () => {
      if (r.status === 401) { sessionStorage.removeItem('token'); tell('over'); }
      if (r.status === 200) resolve(r.response); else reject(new Error(await r.response.text()));
    };
    giveUp?.(() => r.abort());
    r.send(body);
  });
}

/** Cancelled is what somebody has given up by pressing a button: no fault to be told of. */
export class Cancelled extends Error {}

/** upload hands a file to the messenger and answers with its id for "uploads". how is {sent, giveUp}. */
export const upload = async (file, how = {}) => JSON.parse(await (await send('/upload', { 'Content-Type': file.type || 'application/octet-stream', 'X-Name': encodeURIComponent(file.name) }, file, how)).text()).id;
/** file fetches one that somebody has sent. how is {got, giveUp, progress: a name under which the messenger tells how far its own part is}. */
export const file = (id, how = {}) => send('/file', { 'Content-Type': 'application/json' }, JSON.stringify({ id, progress: how.progress }), how);
export async function backup() {
  const r = await post('/backup', { 'Content-Type': 'application/json' }, '{}');
  return { words: r.headers.get('X-Recovery-Words'), blob: await r.blob() };
}
export const restore = async (blob, recoveryWords, passphrase) => (await post('/restore', { 'Content-Type': 'application/octet-stream', 'X-Parameters': encodeURIComponent(JSON.stringify({ recoveryWords, passphrase })) }, blob)).json();

/** connect listens, and comes again when the messenger was away: while it is updated, say. */
export function connect() {
  if (socket) { socket.onclose = null; socket.close(); }
  const s = socket = new WebSocket(`ws://${location.host}/events`);
  s.onopen = () => s.send(token);
  s.onmessage = (m) => { pause = 500; const n = JSON.parse(m.data); tell(n.method, n.params); };
  s.onclose = (e) => {
    tell('away');
    if (e.code === 4401) { sessionStorage.removeItem('token'); tell('over'); return; }
    setTimeout(connect, pause);
    pause = Math.min(pause * 2, 10000);
  };
}

/** save hands a blob to the person as a file. */
export function save(blob, name) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}
