// Keys, find, and saving without leaving the page. Everything works without this file, but for the keys.
'use strict';
const form = (id) => document.getElementById(id);
const post = (f, fields) => fetch(f.action, { method: 'POST', body: new URLSearchParams(fields), headers: { 'X-Script': '1' }, credentials: 'same-origin' })
  .then((r) => r.ok ? r.text() : r.text().then((t) => { throw new Error(t); }));

// The token comes in the fragment, which is taken away at once.
if (form('login') && location.hash.length > 1) {
  form('login').elements.token.value = location.hash.slice(1);
  history.replaceState(null, '', '/');
  form('login').submit();
}

const count = (text) => {
  const [items, all, lines, total] = text.split(' ');
  document.getElementById('count').textContent = `${items} of ${all} items, ${lines} of ${total} lines`;
  document.getElementById('progress').value = lines;
};

for (const f of document.querySelectorAll('form.tick')) {
  f.addEventListener('submit', (event) => {
    event.preventDefault();
    const b = f.elements.mark;
    const fields = { mark: b.value };
    if (f.elements.whole) fields.whole = '1';
    post(f, fields).then((text) => {
      const done = b.value === 'read';
      b.value = done ? 'unread' : 'read';
      b.textContent = done ? '✓' : '';
      b.setAttribute('aria-checked', done);
      f.parentElement.classList.toggle('done', done);
      count(text);
    }).catch((e) => alert(e.message));
  });
}

// A note is saved with every key; while one save is under way, the next waits and takes the latest text.
const note = form('note');
if (note) {
  const area = note.elements.note, out = note.querySelector('output');
  let busy = false, again = false;
  const save = () => {
    if (busy) { again = true; return; }
    busy = true;
    out.textContent = '…';
    post(note, { note: area.value }).then(() => { out.textContent = 'saved'; }).catch((e) => { out.textContent = 'NOT saved: ' + e.message; })
      .finally(() => { busy = false; if (again) { again = false; save(); } });
  };
  const grow = () => { area.style.height = 'auto'; area.style.height = Math.min(area.scrollHeight + 2, 160) + 'px'; };
  area.addEventListener('input', () => { save(); grow(); });
  note.addEventListener('submit', (event) => { event.preventDefault(); save(); });
  note.querySelector('.save').hidden = true;
  grow();
}

const find = document.getElementById('find');
if (find) {
  find.addEventListener('input', () => {
    const text = find.value.toLowerCase();
    for (const li of document.querySelectorAll('ul.items > li')) li.hidden = !li.textContent.toLowerCase().includes(text);
  });
}

const follow = (rel) => { const a = document.querySelector(`a[rel="${rel}"]`); if (a) a.click(); };
const press = (mark) => { const b = document.querySelector(`#mark button[value="${mark}"]`); if (b) b.click(); };
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('input, textarea')) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const keys = {
    n: () => follow('next'), ArrowRight: () => follow('following'), ArrowLeft: () => follow('prev'), l: () => follow('up'),
    r: () => press('read'), u: () => press('unread'), '?': () => press('question'), g: () => press('generated'), m: () => press('mechanical'),
    o: () => note && note.elements.note.focus(), '/': () => find && find.focus(),
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
