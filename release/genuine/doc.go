// Package genuine judges whether the bytes of a program are genuine for this device.
//
// The claim (design 1): they are, when all of these reasons hold.
//
//  1. quorum: at least k distinct auditors signed TUF metadata that names exactly these bytes for this
//     channel, version, os, arch and program
//  2. spread: the signers cover at least j jurisdictions and o organisations
//  3. fresh: not expired, and not older than anything this device has ever seen
//  4. rebuilt: at least m auditors state that they themselves got these bytes from that source
//  5. reviewed: each change of the source was read by at least r auditors
//  6. logged: the release, and so many of those statements that 4 and 5 hold by them, are in the public
//     log, under a head that the witnesses of log.policy cosigned
//  7. not withdrawn: fewer than w auditors have withdrawn it since
//
// A reason that the channel's policy does not ask for is listed as not required, never as passed.
//
// Judge is a pure function of bytes and a time: it fetches nothing, logs nothing and keeps nothing, so
// an incident can be replayed for ever from one evidence file. There are three outcomes and they never
// mix: genuine, refused (with the first failing reason), could not tell.
//
// What it believes to begin with is the anchor: a TUF root and a policy floor that were compiled into
// the program, with the log's policy beside them, and so were themselves reviewed and rebuilt. All else is evidence: mirrors, publishers
// and disks may hand in what they like and can at worst cause a refusal.
//
// Reading order: this file, judge.go, quorum.go, spread.go, fresh.go, said.go, rebuilt.go, reviewed.go,
// logged.go, withdrawn.go; then the formats policy.go, policy_check.go, manifest.go, file.go, evidence.go;
// verdict.go holds only words. Then what they stand on: attest/bundle, attest/statement, attest/proof,
// release/anchor, tuf/trust (make audit lists all of it in this order).
//
// Honest scope: that these reasons hold shows that the binary is the source and that these people
// stand by it. It does not show that the source is good. k auditors together can lie.
package genuine
