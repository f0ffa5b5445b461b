// Profile, receipts, network, devices, backup, and the lock.
import { spans } from './details.js';
import { confirmDigits } from './door.js';
import { el, field, fill } from './dom.js';
import { shortcuts } from './keys.js';
import { span } from './message.js';
import { network } from './network.js';
import { scanner } from './scan.js';
import { backup, call, listen, save } from './wire.js';

export async function settings(root, say) {
  const [profile, config, devices, status, history] = await Promise.all([call('getProfile'), call('updateConfiguration'), call('listDevices'), call('status'), call('historySize')]);
  const [ln, name] = field('Your name: those you write to see it, the server does not', { value: profile.name ?? '' });
  const [lu, username] = field('A name by which others find you; the server knows it', {});
  const [la, code] = field('Let a new device in: scan its code, or the text below it', { placeholder: 'tsdevice:/?…' });
  const along = el('input', { type: 'checkbox', checked: true });
  const asked = el('div', {}), words = el('div', {}), way = el('div.way', {});
  const doing = (f) => async () => { try { await f(); say('Done.'); } catch (e) { say(e.message); } };
  const choice = (label, key) => {
    const box = el('input', { type: 'checkbox', checked: config[key], onchange: doing(() => call('updateConfiguration', { [key]: box.checked })) });
    return el('label', {}, box, ' ', label);
  };
  const timer = el('select', { onchange: doing(() => call('updateConfiguration', { defaultExpiration: Number(timer.value) })) }, spans.map(([v, t]) => el('option', { value: v }, `messages ${t}`)));
  if (!spans.some(([v]) => v === config.defaultExpiration)) timer.append(el('option', { value: config.defaultExpiration }, `messages go after ${span(config.defaultExpiration)}`));
  timer.value = String(config.defaultExpiration);
  const theme = el('select', { 'aria-label': 'Light or dark', onchange: () => { localStorage.setItem('theme', theme.value); document.documentElement.dataset.theme = theme.value; } },
    [['system', 'Light or dark as the system has it'], ['light', 'Light'], ['dark', 'Dark']].map(([v, t]) => el('option', { value: v }, t)));
  theme.value = document.documentElement.dataset.theme;
  const notices = typeof Notification === 'undefined' ? el('p.soft', {}, 'This browser shows no notifications.') : { granted: el('p.soft', {}, 'Notifications are on: they say who wrote, never what.'), denied: el('p.soft', {}, 'Notifications are off: this browser was told not to show any from this page.'),
    default: el('button', { onclick: async () => { await Notification.requestPermission(); settings(root, say); } }, 'Show notifications') }[Notification.permission];
  fill(root, el('h1', {}, 'Settings'), el('p', {}, `You are ${profile.number}.`),
    ln, el('button', { onclick: doing(() => call('updateProfile', { name: name.value })) }, 'Set the name'), lu, el('button', { onclick: doing(() => call('setUsername', { username: username.value })) }, 'Take the name'),
    el('h2', {}, 'Privacy'), choice('Tell others that I have read what they wrote', 'readReceipts'), choice('Tell others that I am writing', 'typingIndicators'),
    el('label', {}, el('span', {}, 'In conversations and groups that you begin from now on'), timer),
    el('p', {}, el('button', { onclick: () => call('lock') }, 'Lock this page now')),
    el('h2', {}, 'This page'), el('p', {}, theme), notices, el('table', {}, shortcuts.map(([k, what]) => el('tr', {}, el('td', {}, el('kbd', {}, k)), el('td', {}, what)))),
    el('h2', {}, 'Network'), way,
    el('h2', {}, 'Devices'), status.takingOver && el('p', {}, `The history of your first device comes: ${status.takingOver.done} of ${status.takingOver.total} messages are here.`), el('table', {}, devices.map((d) => el('tr', {}, el('td', {}, String(d.id)), el('td', {}, d.name || 'the first device', d.this && ' (this one)'), el('td', {}, d.signed ? '' : el('strong.error', {}, 'NOT SIGNED FOR: remove it if you do not know it')),
      el('td', {}, d.id > 1 && !d.this && el('button', { onclick: doing(async () => { await call('removeDevice', { deviceId: d.id }); settings(root, say); }) }, 'Remove'))))),
    scanner((seen) => { code.value = new TextDecoder().decode(seen); say('The code is read: now let the device in.'); }, say),
    la, el('label', {}, along, ` and the history: ${history.messages} messages, about ${(history.bytes / 1e6).toFixed(1)} MB`), ' ', el('button', { onclick: doing(async () => {
      const stop = listen((method, p) => { if (method === 'confirmDevice') fill(asked, confirmDigits(p, 'The new device must show the same digits.')); });
      try { await call('addDevice', { uri: code.value.trim(), history: along.checked }); } finally { stop(); }
      settings(root, say);
    }) }, 'Let it in'), asked,
    el('h2', {}, 'Backup'), el('p.soft', {}, 'One file that opens with nine words, which are shown once. Who has both is you to everybody.'), el('button', { onclick: doing(async () => {
      const b = await backup();
      save(b.blob, 'messenger.csbk');
      fill(words, el('p', {}, 'Write these words down, away from the file:'), el('p.digits', {}, b.words));
    }) }, 'Save a backup'), words);
  await network(way, say);
}
