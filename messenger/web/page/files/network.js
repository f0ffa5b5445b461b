// The way to the server: its address, whose certificates are trusted for it, and a proxy; shown, and changed once the messenger has tried it.
import { el, field, fill } from './dom.js';
import { call, listen } from './wire.js';

/** proxyField and authorityField are for those whose server is not simply there. */
export const proxyField = (value = '') => field('SOCKS5 proxy, such as socks5://127.0.0.1:9050 for Tor; empty: none', { value });
export const authorityField = () => field('Certificate authority of the server’s own, a PEM file from its operator', { type: 'file' });

/** special is both, folded, and what was given. */
export function special() {
  const [lp, proxy] = proxyField(), [la, file] = authorityField();
  return [el('details', {}, el('summary', {}, 'Behind a proxy, or an authority of its own'), lp, la), async () => ({ proxy: proxy.value.trim(), ca: (await file.files[0]?.text()) ?? '' })];
}

const facts = (n) => [['Server', n.server],
  ['Certificates', n.authorities.length ? n.authorities.map((a) => `below ${a.subject} alone, until ${new Date(a.expires).toLocaleDateString()}; SHA-256 ${a.sha256}`).join('; ') : 'below the authorities of this system'],
  ['Proxy', n.proxy || 'none: this computer connects directly'],
  ['State', n.connected ? 'connected' : `not connected${n.why ? `: ${n.why}` : ''}`]].map(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]);

/** network shows it, and goes on showing how it is. */
export async function network(root, say) {
  let now = await call('updateNetwork');
  const list = el('dl', {}, facts(now)), error = el('p.error', { role: 'alert' });
  const [ls, server] = field('Address of the same server', { type: 'url', required: true, value: now.server });
  const [lp, proxy] = proxyField(now.proxy), [la, file] = authorityField();
  const system = el('input', { type: 'checkbox' });
  const change = async (force) => {
    const want = { force };
    if (server.value.trim() !== now.server) want.server = server.value.trim();
    if (proxy.value.trim() !== now.proxy) want.proxy = proxy.value.trim();
    if (system.checked) want.ca = '';
    else if (file.files[0]) want.ca = await file.files[0].text();
    fill(error);
    try {
      if (Object.keys(want).length === 1) throw new Error('Nothing is different.');
      go.disabled = true;
      await call('updateNetwork', want);
      await network(root, say);
      say('The messenger goes this way from now on.');
    } catch (e) {
      fill(error, e.message, e.code === -3 && [' ', el('button', { type: 'button', onclick: () => change(true) }, 'Take it untried')]);
    }
    go.disabled = false;
  };
  const go = el('button', { type: 'submit' }, 'Try it, and change');
  fill(root, list, el('details', {}, el('summary', {}, 'Reach it another way'),
    el('p.soft', {}, 'What is new is tried first, and holds at once. It leads to the same server: an account lives on one. Updates go through the proxy, too.'),
    el('form', { onsubmit: (e) => { e.preventDefault(); change(false); } }, ls, lp, la, now.authorities.length > 0 && el('label', {}, system, ' trust the authorities of this system again'), error, go)));
  let asked = 0;
  const refresh = async () => {
    const mine = ++asked, n = await call('updateNetwork');
    if (mine === asked) fill(list, facts(now = n));
  };
  const stop = listen((method, p) => {
    if (!list.isConnected) stop();
    else if (method === 'event' && p.type === 'connection') refresh().catch(() => {}); // the next one tells
  });
  refresh().catch(() => {}); // it may have changed before somebody listened
}
