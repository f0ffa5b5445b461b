package witness

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
)

// Cosigner is one key of a witness.
type Cosigner struct {
	Key    proof.Key // Ed25519Cosi or MLDSA44
	Signer signer.Signer
}

// line returns the cosignature of a head as a line of a checkpoint (C2SP tlog-cosignature). It is verified as
// every reader will before it is given out.
func (c Cosigner) line(head proof.Head, at time.Time) ([]byte, error) {
	text := fmt.Appendf(nil, "%s\n%d\n%v\n", head.Origin, head.Size, head.Root)
	now := uint64(at.Unix())
	message := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", now, text)
	if c.Key.Algorithm == proof.MLDSA44 {
		message = cosignedMessage(c.Key.Name, now, head)
	}
	sig, err := c.Signer.Sign(message)
	if err != nil {
		return nil, err
	}
	body := append(binary.BigEndian.AppendUint64(nil, now), sig...)
	v, err := c.Key.Verifier()
	if err != nil {
		return nil, err
	}
	if !v.Verify(text, body) {
		return nil, fmt.Errorf("%s is not the key %s", c.Signer, c.Key)
	}
	body = append(binary.BigEndian.AppendUint32(nil, c.Key.Hash()), body...)
	return fmt.Appendf(nil, "— %s %s\n", c.Key.Name, base64.StdEncoding.EncodeToString(body)), nil
}

// cosignedMessage is what an ML-DSA-44 cosignature signs: the struct of C2SP tlog-cosignature, for the tree
// from its beginning.
func cosignedMessage(name string, at uint64, head proof.Head) []byte {
	m := []byte("subtree/v1\n\x00")
	m = append(append(m, byte(len(name))), name...)
	m = binary.BigEndian.AppendUint64(m, at)
	m = append(append(m, byte(len(head.Origin))), head.Origin...)
	m = binary.BigEndian.AppendUint64(m, 0)
	m = binary.BigEndian.AppendUint64(m, head.Size)
	return append(m, head.Root[:]...)
}
