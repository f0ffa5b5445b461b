// Verifies a sigstore bundle with npm's @sigstore/verify against plain keys, without any network, and
// prints one line of JSON: {"payload": base64} or {"refused": code or name, "message": text}.
// Standard input is JSON: {bundle: text of the bundle, keys: {hint: PEM}}.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';

const { bundle: text, keys } = JSON.parse(readFileSync(0, 'utf8'));
const answer = {};
try {
  const bundle = bundleFromJSON(JSON.parse(text));
  const trust = {
    certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
    publicKey: (hint) => {
      if (!keys[hint]) throw Object.assign(new Error(`no key ${hint}`), { code: 'NO_KEY' });
      return { publicKey: createPublicKey(keys[hint]), validFor: () => true };
    },
  };
  new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 }).verify(toSignedEntity(bundle));
  answer.payload = bundle.content.dsseEnvelope.payload.toString('base64');
} catch (err) {
  answer.refused = err.code ?? err.name;
  answer.message = err.message;
}
console.log(JSON.stringify(answer));
