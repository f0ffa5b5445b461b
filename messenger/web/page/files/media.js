// The pictures and files of a conversation, the newest first, by a screenful.
import { isPicture, picture } from './attachment.js';
import { el, size, when } from './dom.js';
import { call } from './wire.js';

const piece = 24, most = 4; // messages of an answer; answers without any file that are asked for at once, of 5000 messages each

/** media lists them; c as for details. Nothing is asked for before it is called. */
export function media(c) {
  const pictures = el('div.media', {}), files = el('ul.files', {}), none = el('p.soft', {});
  const more = el('button', { hidden: true, onclick: () => load() }, 'Older ones');
  let before = 0;
  const load = async () => {
    more.disabled = true;
    try {
      for (let found = 0, asked = 0; !found && asked < most; asked++) { // in a long conversation an answer may be empty and not the last
        const list = await call('listMedia', { ...c.target, before, limit: piece });
        before = list.next;
        for (const m of list.messages) (m.attachments ?? []).forEach((a, i) => {
          found++;
          if (isPicture(a) && c.accepted) pictures.append(el('button.thumb', { 'aria-label': `${a.fileName || 'Picture'}, ${when(m.timestamp)}: go to it`, onclick: () => c.jump(m.seq) }, picture(a, `${m.seq}/${i}`)));
          else files.append(el('li', {}, el('button.link', { onclick: () => c.jump(m.seq) }, a.fileName || 'file'), el('span.soft', {}, ` ${size(a.size)}, ${when(m.timestamp)}`)));
        });
        if (!before || !more.isConnected) break;
      }
    } catch (e) { c.say(e.message); }
    more.hidden = !before;
    more.disabled = false;
    none.textContent = pictures.children.length || files.children.length ? '' : before ? 'None among the newest messages.' : 'No pictures or files yet.';
  };
  setTimeout(load);
  return el('div', {}, pictures, files, none, more);
}
