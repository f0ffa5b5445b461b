// Verifies sigstore bundles with npm's @sigstore/verify against plain keys, without any network, and
// prints one line of JSON: a list with, for each, {"payload": base64} or {"refused": code or name, "message": text}.
// Standard input is a JSON list of {bundle: text of the bundle, keys: {hint: PEM}}.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';

function verify({ bundle: text, keys }) {
  const trust = {
    certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
    publicKey: (hint) => {
      if (!keys[hint]) throw Object.assign(new Error(`no key ${hint}`), { code: 'NO_KEY' });
      return { publicKey: createPublicKey(keys[hint]), validFor: () => true };
    },
  };
  try {
    const bundle = bundleFromJSON(JSON.parse(text));
    new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 }).verify(toSignedEntity(bundle));
    return { payload: bundle.content.dsseEnvelope.payload.toString('base64') };
  } catch (err) {
    return { refused: err.code ?? err.name, message: err.message };
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(verify)));
