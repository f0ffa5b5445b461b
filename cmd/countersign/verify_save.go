package main

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"os"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/release/genuine"
)

// save writes the evidence as one file, and beside it what other people's tools read: each statement as a
// sigstore bundle, and for the release and each statement in the log the entry and a standard C2SP
// tlog-proof.
//
//	FILE                     all of it, as this program reads it again
//	FILE.release.entry, FILE.release.tlog-proof
//	FILE.1.bundle.json, FILE.1.entry, FILE.1.tlog-proof, FILE.2.…
func (v *verifying) save(ev genuine.Evidence, channel, version string) error {
	if v.Save == "" {
		return nil
	}
	b, err := ev.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(v.Save, b, 0o644); err != nil {
		return err
	}
	policy, err := genuine.ParsePolicy(ev.Policy)
	if err != nil {
		return err
	}
	p, err := proof.Parse(ev.Proof)
	if err != nil && len(ev.Proof) > 0 {
		return err
	}
	if err := v.saveEntry("release", p, proof.ReleaseLeaf(channel, version, sha256.Sum256(ev.Release))); err != nil {
		return err
	}
	for i, raw := range ev.Statements {
		name := fmt.Sprint(i + 1)
		if err := os.WriteFile(v.Save+"."+name+".bundle.json", raw, 0o644); err != nil {
			return err
		}
		if entry := entryOf(raw, policy); entry != nil {
			if err := v.saveEntry(name, p, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// saveEntry writes one entry of the log with its proof; nothing when the proof does not show it.
func (v *verifying) saveEntry(name string, p proof.Proof, entry []byte) error {
	at, ok := p.Find(entry)
	if !ok {
		return nil
	}
	text, err := p.TLogProof(at)
	if err != nil {
		return err
	}
	if err := os.WriteFile(v.Save+"."+name+".entry", entry, 0o644); err != nil {
		return err
	}
	return os.WriteFile(v.Save+"."+name+".tlog-proof", text, 0o644)
}

// entryOf is how the log names a statement; nil for one that nobody of the policy signed.
func entryOf(raw []byte, policy genuine.Policy) []byte {
	for _, k := range policy.StatementKeys() {
		if payload, _, err := bundle.Open(raw, []crypto.PublicKey{k.Public}); err == nil {
			return proof.StatementLeaf(sha256.Sum256(k.PKIX), sha256.Sum256(payload))
		}
	}
	return nil
}
