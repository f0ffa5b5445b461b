// Work for benchmarks: Signal's own library against itself, in one process, without anything of ours between the rounds.
//
// Usage: node bench.mjs FOLDER WHAT stored|kept N. It does the work N times and prints {"ns": per round, "node": …, "calls": …, "asked": …}.
// "stored" keeps records serialised between calls, as a database does; "kept" hands the library's objects back to it.
//
// What Node costs cannot be taken out, but measured: each round makes some calls into the library, and the library asks the stores some times
// back. Two calls that do next to nothing calibrate it: one that asks a store once (to make the distribution message of a sender key that is there)
// and one that asks twice (to take one in that is known). node = calls × the first + (asked − calls) × the difference. As the two
// do some work of their own, node is a little too much and ns − node a little too little for the library without Node. Every time is the best
// of ten batches, the three kinds in turn, so that a busy machine disturbs all alike.
import { S, modern, asked, address, Party, bundle } from './stores.mjs';

const [, , , what, mode, count] = process.argv;
const n = Number(count);
const text = modern ? new Uint8Array(1024) : Buffer.alloc(1024);
const distribution = 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6';
const a = new Party('a', 1, mode === 'kept'), b = new Party('b', 2, mode === 'kept');
const toA = a.address, toB = b.address;

let calls = 0;
const send = async (from, to, at, back) => {
  calls += 2;
  const m = await from.encrypt(at, text);
  await to.decrypt(back, m.type(), m.serialize());
};
const meet = async () => {
  calls++;
  await a.process(toB, bundle(await b.prekeys({ oneTime: true, kyber: true })));
  await send(a, b, toB, toA);
};
const rounds = {
  setup: meet,
  sameChain: () => send(a, b, toB, toA),
  pingPong: async () => { await send(a, b, toB, toA); await send(b, a, toA, toB); },
  groupEncrypt: async () => { calls++; (await S.groupEncrypt(a.address, distribution, a.senderKeys, text)).serialize(); },
};
const round = rounds[what];

const time = async (times, f) => {
  const start = process.hrtime.bigint();
  for (let i = 0; i < times; i++) await f();
  return Number(process.hrtime.bigint() - start) / times;
};

const known = await S.SenderKeyDistributionMessage.create(a.address, distribution, a.senderKeys);
await S.processSenderKeyDistributionMessage(a.address, known, b.senderKeys);
const once = () => S.SenderKeyDistributionMessage.create(a.address, distribution, a.senderKeys);
const twice = () => S.processSenderKeyDistributionMessage(a.address, known, b.senderKeys);

await meet();
await send(b, a, toA, toB);
await time(Math.min(n, 200), round);
await time(100, once);
await time(100, twice);

const batch = Math.ceil(n / 10);
const best = { ns: Infinity, once: Infinity, twice: Infinity };
for (let done = 0; done < n; done += batch) {
  calls = asked.times = 0;
  best.ns = Math.min(best.ns, await time(batch, round));
  best.calls = calls / batch;
  best.asked = asked.times / batch;
  best.once = Math.min(best.once, await time(50, once));
  best.twice = Math.min(best.twice, await time(50, twice));
}
const node = best.calls * best.once + (best.asked - best.calls) * Math.max(0, best.twice - best.once);
console.log(JSON.stringify({ ns: best.ns, node, calls: best.calls, asked: best.asked }));
