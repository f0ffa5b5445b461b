// A foreign peer: Signal's own library behind JSON lines on standard input and output.
//
// Usage: node peer.mjs FOLDER, where FOLDER has the library in its node_modules. Each line is a request {"op": …}, answered by one
// line, {"ok": …} or {"error": text, "name": kind}. Bytes are base64. Stores are in memory; sessions are kept serialised.
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = resolve(process.argv[2], 'node_modules/@signalapp/libsignal-client');
const version = JSON.parse(readFileSync(join(folder, 'package.json'))).version;
const S = await import(pathToFileURL(join(folder, 'dist/index.js')));
const modern = !version.startsWith('0.72.'); // takes the local address, wants Kyber in every bundle

const b64 = (b) => Buffer.from(b).toString('base64');
const raw = (s) => new Uint8Array(Buffer.from(s, 'base64'));
const buf = (s) => (modern ? raw(s) : Buffer.from(s, 'base64'));

class Sessions extends S.SessionStore {
  map = new Map();
  key(a) { return a.name() + '.' + a.deviceId(); }
  async saveSession(a, r) { this.map.set(this.key(a), r.serialize()); }
  async getSession(a) { const b = this.map.get(this.key(a)); return b ? S.SessionRecord.deserialize(b) : null; }
  async getExistingSessions(as) { return Promise.all(as.map((a) => this.getSession(a))); }
}
class Identities extends S.IdentityKeyStore {
  map = new Map();
  constructor(key, id) { super(); this.own = key; this.id = id; }
  async getIdentityKey() { return this.own; }
  async getLocalRegistrationId() { return this.id; }
  async saveIdentity(a, k) { this.map.set(a.name(), k); return 0; }
  async isTrustedIdentity(a, k) { const old = this.map.get(a.name()); return !old || b64(old.serialize()) === b64(k.serialize()); }
  async getIdentity(a) { return this.map.get(a.name()) ?? null; }
}
const keyed = (Base, save, get, more) => {
  const C = class extends Base { map = new Map(); };
  C.prototype[save] = async function (id, r) { this.map.set(id, r.serialize()); };
  C.prototype[get] = async function (id) {
    const b = this.map.get(id);
    if (!b) throw new Error('no prekey ' + id);
    return more.deserialize(b);
  };
  return C;
};
const PreKeys = keyed(S.PreKeyStore, 'savePreKey', 'getPreKey', S.PreKeyRecord);
PreKeys.prototype.removePreKey = async function (id) { this.map.delete(id); };
const SignedPreKeys = keyed(S.SignedPreKeyStore, 'saveSignedPreKey', 'getSignedPreKey', S.SignedPreKeyRecord);
const KyberPreKeys = keyed(S.KyberPreKeyStore, 'saveKyberPreKey', 'getKyberPreKey', S.KyberPreKeyRecord);
KyberPreKeys.prototype.markKyberPreKeyUsed = async function () {};
class SenderKeys extends S.SenderKeyStore {
  map = new Map();
  key(a, d) { return a.name() + '.' + a.deviceId() + '.' + d; }
  async saveSenderKey(a, d, r) { this.map.set(this.key(a, d), r.serialize()); }
  async getSenderKey(a, d) { const b = this.map.get(this.key(a, d)); return b ? S.SenderKeyRecord.deserialize(b) : null; }
}

let me;
const address = (name) => S.ProtocolAddress.new(name, 1);
const here = () => (modern ? [me.address] : []);

const encrypt = async (peer, text) => {
  const m = await S.signalEncrypt(text, address(peer), ...here(), me.sessions, me.identities);
  return { type: m.type(), body: b64(m.serialize()) };
};
const decrypt = async (peer, type, body) => {
  if (type === 3) {
    return S.signalDecryptPreKey(S.PreKeySignalMessage.deserialize(body), address(peer), ...here(), me.sessions, me.identities, me.preKeys, me.signedPreKeys, me.kyberPreKeys);
  }
  return S.signalDecrypt(S.SignalMessage.deserialize(body), address(peer), ...here(), me.sessions, me.identities);
};
const process_ = async (peer, b) => {
  const kyber = b.kyberKey ? [b.kyberId, S.KEMPublicKey.deserialize(buf(b.kyberKey)), buf(b.kyberSignature)] : modern ? [] : [null, null, null];
  const bundle = S.PreKeyBundle.new(b.registrationId, 1, b.preKey ? b.preKeyId : null, b.preKey ? S.PublicKey.deserialize(buf(b.preKey)) : null,
    b.signedId, S.PublicKey.deserialize(buf(b.signedKey)), buf(b.signature), S.PublicKey.deserialize(buf(b.identity)), ...kyber);
  await S.processPreKeyBundle(bundle, address(peer), ...here(), me.sessions, me.identities);
};
let nextId = 1;
const bundle = async ({ oneTime, kyber }) => {
  const signed = S.PrivateKey.generate();
  const b = { registrationId: me.identities.id, identity: b64(me.identity.getPublicKey().serialize()), signedId: nextId++,
    signedKey: b64(signed.getPublicKey().serialize()) };
  const signature = me.identity.sign(signed.getPublicKey().serialize());
  b.signature = b64(signature);
  await me.signedPreKeys.saveSignedPreKey(b.signedId, S.SignedPreKeyRecord.new(b.signedId, 0, signed.getPublicKey(), signed, signature));
  if (oneTime) {
    const k = S.PrivateKey.generate();
    b.preKeyId = nextId++;
    b.preKey = b64(k.getPublicKey().serialize());
    await me.preKeys.savePreKey(b.preKeyId, S.PreKeyRecord.new(b.preKeyId, k.getPublicKey(), k));
  }
  if (kyber) {
    const k = S.KEMKeyPair.generate();
    b.kyberId = nextId++;
    b.kyberKey = b64(k.getPublicKey().serialize());
    const s = me.identity.sign(k.getPublicKey().serialize());
    b.kyberSignature = b64(s);
    await me.kyberPreKeys.saveKyberPreKey(b.kyberId, S.KyberPreKeyRecord.new(b.kyberId, 0, k, s));
  }
  return b;
};

const ops = {
  version: async () => version,
  init: async ({ name, registrationId }) => {
    const identity = S.PrivateKey.generate();
    me = { name, address: address(name), identity, identities: new Identities(identity, registrationId), sessions: new Sessions(), preKeys: new PreKeys(),
      signedPreKeys: new SignedPreKeys(), kyberPreKeys: new KyberPreKeys(), senderKeys: new SenderKeys() };
    return { identity: b64(identity.getPublicKey().serialize()) };
  },
  bundle,
  process: async ({ peer, bundle }) => { await process_(peer, bundle); return true; },
  encrypt: async ({ peer, text }) => encrypt(peer, buf(text)),
  decrypt: async ({ peer, type, body }) => b64(await decrypt(peer, type, buf(body))),
  senderKey: async ({ distribution }) => b64((await S.SenderKeyDistributionMessage.create(me.address, distribution, me.senderKeys)).serialize()),
  takeSenderKey: async ({ peer, body }) => { await S.processSenderKeyDistributionMessage(address(peer), S.SenderKeyDistributionMessage.deserialize(buf(body)), me.senderKeys); return true; },
  groupEncrypt: async ({ distribution, text }) => b64((await S.groupEncrypt(me.address, distribution, me.senderKeys, buf(text))).serialize()),
  groupDecrypt: async ({ peer, body }) => b64(await S.groupDecrypt(address(peer), me.senderKeys, buf(body))),
  fingerprint: async ({ version, local, localKey, remote, remoteKey }) => {
    const f = S.Fingerprint.new(5200, version, buf(local), S.PublicKey.deserialize(buf(localKey)), buf(remote), S.PublicKey.deserialize(buf(remoteKey)));
    return { display: f.displayableFingerprint().toString(), scannable: b64(f.scannableFingerprint().toBuffer ? f.scannableFingerprint().toBuffer() : f.scannableFingerprint().toBytes()) };
  },
  compare: async ({ ours, theirs }) => {
    const make = (b) => S.ScannableFingerprint._fromBuffer ? S.ScannableFingerprint._fromBuffer(buf(b)) : S.ScannableFingerprint.fromBuffer(buf(b));
    return make(ours).compare(make(theirs));
  },
  sign: async ({ text }) => b64(me.identity.sign(buf(text))),
  verify: async ({ key, text, signature }) => S.PublicKey.deserialize(buf(key)).verify(buf(text), buf(signature)),
  // Work for benchmarks, done n times here; the answer is nanoseconds per round.
  bench: async ({ what, n, size }) => {
    const text = new Uint8Array(size ?? 1024);
    const plain = modern ? text : Buffer.from(text);
    const other = me;
    const fresh = async (name) => { await ops.init({ name, registrationId: 1 }); return me; };
    const a = await fresh('a'), b = await fresh('b');
    const as = async (who, f) => { me = who; return f(); };
    const meet = async () => {
      const bun = await as(b, () => bundle({ oneTime: true, kyber: true }));
      await as(a, () => process_('b', bun));
      return as(a, () => encrypt('b', plain));
    };
    const rounds = {
      setup: async () => { const m = await meet(); await as(b, () => decrypt('a', m.type, buf(m.body))); },
      sameChain: async () => { const m = await as(a, () => encrypt('b', plain)); await as(b, () => decrypt('a', m.type, buf(m.body))); },
      pingPong: async () => {
        await rounds.sameChain();
        const m = await as(b, () => encrypt('a', plain));
        await as(a, () => decrypt('b', m.type, buf(m.body)));
      },
      groupEncrypt: async () => as(a, () => S.groupEncrypt(me.address, 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6', me.senderKeys, plain)),
    };
    const round = rounds[what];
    if (what === 'groupEncrypt') await as(a, () => ops.senderKey({ distribution: 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6' }));
    if (what !== 'setup') {
      const m = await meet();
      await as(b, () => decrypt('a', m.type, buf(m.body)));
      const r = await as(b, () => encrypt('a', plain));
      await as(a, () => decrypt('b', r.type, buf(r.body)));
    }
    for (let i = 0; i < Math.min(n, 50); i++) await round();
    const start = process.hrtime.bigint();
    for (let i = 0; i < n; i++) await round();
    const ns = Number(process.hrtime.bigint() - start) / n;
    me = other;
    return ns;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = { ok: await ops[request.op](request) };
  } catch (e) {
    answer = { error: String(e.message ?? e), name: String(e.code ?? e.name) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
