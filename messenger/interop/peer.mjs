// A foreign peer: Signal's own library behind JSON lines on standard input and output.
//
// Usage: node peer.mjs FOLDER, where FOLDER has the library in its node_modules. Each line is a request {"op": …}, answered by one
// line, {"ok": …} or {"error": text, "name": kind}. Bytes are base64. Stores are in memory; sessions are kept serialised.
import { createInterface } from 'node:readline';
import { S, version, b64, buf, address, Party, bundle } from './stores.mjs';

let me;

// flat turns what prekeys returned into JSON.
const flat = (b) => Object.fromEntries(Object.entries(b).map(([k, v]) => [k, typeof v === 'number' ? v : b64(v.serialize ? v.serialize() : v)]));
const deep = (b) => ({
  registrationId: b.registrationId, identity: S.PublicKey.deserialize(buf(b.identity)), signedId: b.signedId,
  signedKey: S.PublicKey.deserialize(buf(b.signedKey)), signature: buf(b.signature),
  ...(b.preKey && { preKeyId: b.preKeyId, preKey: S.PublicKey.deserialize(buf(b.preKey)) }),
  ...(b.kyberKey && { kyberId: b.kyberId, kyberKey: S.KEMPublicKey.deserialize(buf(b.kyberKey)), kyberSignature: buf(b.kyberSignature) }),
});

const ops = {
  version: async () => version,
  init: async ({ name, registrationId }) => {
    me = new Party(name, registrationId, false);
    return { identity: b64(me.identity.getPublicKey().serialize()) };
  },
  bundle: async (what) => flat(await me.prekeys(what)),
  process: async ({ peer, bundle: b }) => { await me.process(address(peer), bundle(deep(b))); return true; },
  encrypt: async ({ peer, text }) => {
    const m = await me.encrypt(address(peer), buf(text));
    return { type: m.type(), body: b64(m.serialize()) };
  },
  decrypt: async ({ peer, type, body }) => b64(await me.decrypt(address(peer), type, buf(body))),
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
