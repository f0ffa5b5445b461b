// Before there is an open account: unlock, register, link, restore.
import { el, fill, field, qr } from './dom.js';
import { special } from './network.js';
import { call, listen, restore } from './wire.js';

const form = (title, text, parts, submit, label) => {
  const error = el('p.error', { role: 'alert' });
  const button = el('button.primary', { type: 'submit' }, label);
  return el('form.card', { onsubmit: async (e) => {
    e.preventDefault();
    button.disabled = true;
    error.textContent = '';
    try { await submit(); } catch (x) { error.textContent = x.message; }
    button.disabled = false;
  } }, el('h1', {}, title), text && el('p.soft', {}, text), parts, error, button);
};

/** unlock asks for the passphrase; news is why it is asked for now, if that is not the person's own doing. */
export function unlock(root, done, news) {
  const [label, input] = field('Passphrase', { type: 'password', required: true, autofocus: true });
  fill(root, el('div.center', {}, form('Locked', `${news ? `${news} ` : ''}Your messages are sealed on this computer. The passphrase opens them.`, label, async () => {
    await call('unlock', { passphrase: input.value });
    done();
  }, 'Unlock')));
  input.focus();
}

export function first(root, done) {
  const tabs = { 'New account': register, 'Link to my account': link, 'From a backup': fromBackup };
  const body = el('div', {});
  const show = (name) => { fill(body, tabs[name](done)); for (const b of nav.children) b.setAttribute('aria-pressed', b.textContent === name); };
  const nav = el('p.tabs', {}, Object.keys(tabs).map((name) => el('button', { onclick: () => show(name) }, name)));
  fill(root, el('div.center', {}, el('div', {}, nav, body)));
  show('New account');
}

const same = (a, b) => { if (a.value !== b.value) throw new Error('The two passphrases are not the same.'); return a.value; };
const passphrases = () => {
  const [l1, a] = field('Choose a passphrase: it locks what is kept on this computer', { type: 'password', required: true });
  const [l2, b] = field('The same again', { type: 'password', required: true });
  return [[l1, l2], () => same(a, b)];
};

function register(done) {
  const [ls, server] = field('Server', { type: 'url', required: true, placeholder: 'https://chat.example.org' });
  const [li, invite] = field('Invite, from the server’s operator', { required: true });
  const [lp, passphrase] = passphrases(), [lw, way] = special();
  return form('Make an account', 'The server gives you a number that no telephone has.', [ls, li, lp, lw], async () => {
    await call('register', { ...await way(), server: server.value, invite: invite.value.trim(), passphrase: passphrase() });
    done();
  }, 'Register');
}

function link(done) {
  const [ls, server] = field('Server', { type: 'url', required: true, placeholder: 'https://chat.example.org' });
  const [ln, name] = field('What to call this computer; the server reads it', { value: 'laptop' });
  const [lp, passphrase] = passphrases(), [lw, way] = special();
  const out = el('div', {});
  return el('div', {}, form('Link this computer', 'Another device of yours lets this one in.', [ls, ln, lp, lw], async () => {
    const stop = listen(async (method, p) => {
      if (method === 'linkCode') fill(out, el('p', {}, 'Scan this with your first device, or give it the text below, within two minutes.'), qr(await call('qrCode', { text: p.uri }), 'QR code of this computer'), el('p', {}, el('code', {}, p.uri)));
      if (method === 'confirmDevice') fill(out, confirmDigits(p, `The account is ${p.number}. The other screen must show the same digits.`));
    });
    try { await call('link', { ...await way(), server: server.value, name: name.value, passphrase: passphrase() }); } finally { stop(); }
    done();
  }, 'Show the code'), out);
}

/** confirmDigits asks whether both screens show the same. */
export function confirmDigits(p, text) {
  const answer = (accept) => () => { box.remove(); call('confirmDevice', { id: p.id, accept }).catch(() => {}); };
  const box = el('div', { role: 'alertdialog', 'aria-label': text }, el('p', {}, text), el('p.digits', {}, `${p.digits.slice(0, 3)} ${p.digits.slice(3)}`),
    el('button.primary', { onclick: answer(true) }, 'They are the same'), ' ', el('button', { onclick: answer(false) }, 'They are not'));
  return box;
}

function fromBackup(done) {
  const [lf, file] = field('Backup file', { type: 'file', required: true });
  const [lw, words] = field('The nine recovery words', { required: true });
  const [lp, passphrase] = passphrases();
  return form('Restore a backup', 'Use it when the device the backup is of is gone: two devices that think they are the same one take each other’s messages away.', [lf, lw, lp], async () => {
    await restore(file.files[0], words.value, passphrase());
    done();
  }, 'Restore');
}
