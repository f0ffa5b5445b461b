// Reads a TUF repository with npm's tuf-js, as any stock client would, and prints one line of JSON:
// {"targets": {path: base64 content}} or {"refused": name of the error, "message": its text}.
// The only argument is JSON: {now: ISO time, base: repository URL, dir: client state, targets: [paths]}.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const { now, base, dir, targets } = JSON.parse(process.argv[2]);

// tuf-js has no clock to inject, so the whole process gets one that stands still.
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) { super(...(args.length ? args : [now])); }
  static now() { return RealDate.parse(now); }
};

const { Updater } = await import('tuf-js');

const out = join(dir, 'targets');
mkdirSync(out, { recursive: true });
const answer = { targets: {} };
try {
  const client = new Updater({
    metadataDir: dir, metadataBaseUrl: `${base}/metadata`, targetDir: out, targetBaseUrl: `${base}/targets`,
    config: { fetchRetry: 0, fetchTimeout: 120000 },
  });
  await client.refresh();
  for (const path of targets) {
    const info = await client.getTargetInfo(path);
    if (!info) throw Object.assign(new Error(`no target ${path}`), { name: 'NoTarget' });
    const file = await client.downloadTarget(info, join(out, 'download'));
    answer.targets[path] = readFileSync(file).toString('base64');
  }
} catch (err) {
  answer.refused = err.name === 'Error' ? err.constructor.name : err.name;
  answer.message = err.message;
}
console.log(JSON.stringify(answer));
