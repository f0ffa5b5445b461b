// The stores that Signal's library asks for, in memory, and what differs between its versions. Used by peer.mjs and bench.mjs.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = resolve(process.argv[2], 'node_modules/@signalapp/libsignal-client');
export const version = JSON.parse(readFileSync(join(folder, 'package.json'))).version;
export const S = await import(pathToFileURL(join(folder, 'dist/index.js')));
export const modern = !version.startsWith('0.72.'); // takes the local address, wants Kyber in every bundle

// How often the library has asked a store.
export const asked = { times: 0 };

export const b64 = (b) => Buffer.from(b).toString('base64');
const raw = (s) => new Uint8Array(Buffer.from(s, 'base64'));
export const buf = (s) => (modern ? raw(s) : Buffer.from(s, 'base64'));
export const address = (name) => S.ProtocolAddress.new(name, 1);

// Records are kept serialised, as a database would, or, with kept, as the library hands them over.
class Map2 {
  constructor(type, kept) { this.map = new Map(); this.type = type; this.kept = kept; }
  set(k, r) { asked.times++; this.map.set(k, this.kept ? r : r.serialize()); }
  get(k) {
    asked.times++;
    const b = this.map.get(k);
    return b === undefined ? null : this.kept ? b : this.type.deserialize(b);
  }
}
class Sessions extends S.SessionStore {
  constructor(kept) { super(); this.map = new Map2(S.SessionRecord, kept); }
  key(a) { return a.name() + '.' + a.deviceId(); }
  async saveSession(a, r) { this.map.set(this.key(a), r); }
  async getSession(a) { return this.map.get(this.key(a)); }
  async getExistingSessions(as) { return Promise.all(as.map((a) => this.getSession(a))); }
}
class Identities extends S.IdentityKeyStore {
  map = new Map();
  constructor(key, id) { super(); this.own = key; this.id = id; }
  async getIdentityKey() { asked.times++; return this.own; }
  async getLocalRegistrationId() { asked.times++; return this.id; }
  async saveIdentity(a, k) { asked.times++; this.map.set(a.name(), k); return 0; }
  async isTrustedIdentity(a, k) {
    asked.times++;
    const old = this.map.get(a.name());
    return !old || b64(old.serialize()) === b64(k.serialize());
  }
  async getIdentity(a) { asked.times++; return this.map.get(a.name()) ?? null; }
}
const keyed = (Base, save, get, type) => {
  const C = class extends Base {
    constructor(kept) { super(); this.map = new Map2(type, kept); }
  };
  C.prototype[save] = async function (id, r) { this.map.set(id, r); };
  C.prototype[get] = async function (id) {
    const r = this.map.get(id);
    if (!r) throw new Error('no prekey ' + id);
    return r;
  };
  return C;
};
const PreKeys = keyed(S.PreKeyStore, 'savePreKey', 'getPreKey', S.PreKeyRecord);
PreKeys.prototype.removePreKey = async function (id) { asked.times++; this.map.map.delete(id); };
const SignedPreKeys = keyed(S.SignedPreKeyStore, 'saveSignedPreKey', 'getSignedPreKey', S.SignedPreKeyRecord);
const KyberPreKeys = keyed(S.KyberPreKeyStore, 'saveKyberPreKey', 'getKyberPreKey', S.KyberPreKeyRecord);
KyberPreKeys.prototype.markKyberPreKeyUsed = async function () { asked.times++; };
class SenderKeys extends S.SenderKeyStore {
  constructor(kept) { super(); this.map = new Map2(S.SenderKeyRecord, kept); }
  key(a, d) { return a.name() + '.' + a.deviceId() + '.' + d; }
  async saveSenderKey(a, d, r) { this.map.set(this.key(a, d), r); }
  async getSenderKey(a, d) { return this.map.get(this.key(a, d)); }
}

// Party is one side: a fresh identity, its stores, and the calls of the library with them filled in.
export class Party {
  nextId = 1;
  constructor(name, registrationId, kept) {
    this.address = address(name);
    this.identity = S.PrivateKey.generate();
    this.identities = new Identities(this.identity, registrationId);
    this.sessions = new Sessions(kept);
    this.preKeys = new PreKeys(kept);
    this.signedPreKeys = new SignedPreKeys(kept);
    this.kyberPreKeys = new KyberPreKeys(kept);
    this.senderKeys = new SenderKeys(kept);
    this.here = modern ? [this.address] : [];
  }
  encrypt(to, text) { return S.signalEncrypt(text, to, ...this.here, this.sessions, this.identities); }
  decrypt(from, type, body) {
    if (type === 3) {
      return S.signalDecryptPreKey(S.PreKeySignalMessage.deserialize(body), from, ...this.here, this.sessions, this.identities, this.preKeys, this.signedPreKeys, this.kyberPreKeys);
    }
    return S.signalDecrypt(S.SignalMessage.deserialize(body), from, ...this.here, this.sessions, this.identities);
  }
  process(from, bundle) { return S.processPreKeyBundle(bundle, from, ...this.here, this.sessions, this.identities); }

  // prekeys makes fresh prekeys and returns what others may know of them.
  async prekeys({ oneTime, kyber }) {
    const signed = S.PrivateKey.generate();
    const b = { registrationId: this.identities.id, identity: this.identity.getPublicKey(), signedId: this.nextId++, signedKey: signed.getPublicKey() };
    b.signature = this.identity.sign(b.signedKey.serialize());
    await this.signedPreKeys.saveSignedPreKey(b.signedId, S.SignedPreKeyRecord.new(b.signedId, 0, b.signedKey, signed, b.signature));
    if (oneTime) {
      const k = S.PrivateKey.generate();
      [b.preKeyId, b.preKey] = [this.nextId++, k.getPublicKey()];
      await this.preKeys.savePreKey(b.preKeyId, S.PreKeyRecord.new(b.preKeyId, b.preKey, k));
    }
    if (kyber) {
      const k = S.KEMKeyPair.generate();
      [b.kyberId, b.kyberKey] = [this.nextId++, k.getPublicKey()];
      b.kyberSignature = this.identity.sign(b.kyberKey.serialize());
      await this.kyberPreKeys.saveKyberPreKey(b.kyberId, S.KyberPreKeyRecord.new(b.kyberId, 0, k, b.kyberSignature));
    }
    return b;
  }
}

// bundle makes the library's bundle out of what prekeys returned.
export const bundle = (b) => S.PreKeyBundle.new(b.registrationId, 1, b.preKeyId ?? null, b.preKey ?? null, b.signedId, b.signedKey, b.signature, b.identity,
  ...(b.kyberKey ? [b.kyberId, b.kyberKey, b.kyberSignature] : modern ? [] : [null, null, null]));
