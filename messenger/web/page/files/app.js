// The connection to the messenger: the key is taken out of the address at once and exchanged for a token.
const key = location.hash.slice(1);
history.replaceState(null, '', '/');
const post = async (path, body, token) => {
  const headers = { 'Content-Type': 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  const r = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!r.ok) throw new Error(await r.text());
  return r.json();
};
const main = document.getElementById('app');
try {
  if (key) sessionStorage.setItem('token', (await post('/token', { key })).token);
  const token = sessionStorage.getItem('token');
  if (!token) throw new Error("Run 'messenger open' to open this page.");
  const status = await post('/rpc', { jsonrpc: '2.0', id: 1, method: 'status' }, token);
  main.textContent = JSON.stringify(status.result ?? status.error);
} catch (e) {
  main.textContent = e.message;
}
