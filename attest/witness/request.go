package witness

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/countersign-project/countersign/attest/proof"
)

// maxHashes is the longest consistency proof (C2SP tlog-witness).
const maxHashes = 63

// MaxRequest is the largest request that is read, in bytes.
const MaxRequest = len("old 18446744073709551615\n") + maxHashes*45 + 1 + proof.MaxCheckpoint

// request is the body of add-checkpoint.
type request struct {
	old        uint64
	proof      []proof.Hash
	checkpoint []byte
}

// parseRequest reads a body: "old N", the hashes of the proof, an empty line, the checkpoint.
func parseRequest(b []byte) (request, error) {
	if len(b) > MaxRequest {
		return request{}, fmt.Errorf("request of more than %d bytes", MaxRequest)
	}
	top, checkpoint, ok := bytes.Cut(b, []byte("\n\n"))
	lines := bytes.Split(top, []byte("\n"))
	number, ok2 := bytes.CutPrefix(lines[0], []byte("old "))
	old, err := strconv.ParseUint(string(number), 10, 64)
	if !ok || !ok2 || err != nil || strconv.FormatUint(old, 10) != string(number) {
		return request{}, fmt.Errorf("want a line \"old N\", proof lines, an empty line and a checkpoint")
	}
	if len(lines)-1 > maxHashes {
		return request{}, fmt.Errorf("proof of %d hashes, at most %d allowed", len(lines)-1, maxHashes)
	}
	r := request{old: old, checkpoint: checkpoint}
	for _, line := range lines[1:] {
		h, err := proof.ParseHash(string(line))
		if err != nil {
			return request{}, fmt.Errorf("proof: %v", err)
		}
		r.proof = append(r.proof, h)
	}
	return r, nil
}

// encode prints the body.
func (r request) encode() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.old)
	for _, h := range r.proof {
		b = fmt.Appendf(b, "%v\n", h)
	}
	return append(append(b, '\n'), r.checkpoint...)
}
