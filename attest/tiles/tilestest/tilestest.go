// Package tilestest writes the files of a log that a test keeps in memory. It puts them together from the
// standard's words and not with the code that reads them (C2SP tlog-tiles).
package tilestest

import (
	"encoding/binary"
	"fmt"
	"testing/fstest"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
)

// Files returns the tiles and bundles of a log of that size, and its checkpoint with these cosignatures.
func Files(l *prooftest.Log, size int, witnesses ...*prooftest.Signer) fstest.MapFS {
	files := fstest.MapFS{"checkpoint": {Data: l.CheckpointAt(size, witnesses...), Mode: 0o644}}
	var hashes []proof.Hash
	for n, e := range l.Entries[:size] {
		hashes = append(hashes, proof.LeafHash(e))
		put(files, "tile/entries", n, size, append(binary.BigEndian.AppendUint16(nil, uint16(len(e))), e...))
	}
	for level := 0; len(hashes) > 0; level++ {
		var above []proof.Hash
		for n, h := range hashes {
			put(files, fmt.Sprintf("tile/%d", level), n, len(hashes), h[:])
			if n%256 == 255 {
				above = append(above, top(hashes[n-255:n+1]))
			}
		}
		hashes = above
	}
	return files
}

// put appends what belongs to the n-th of so many to its file.
func put(files fstest.MapFS, folder string, n, of int, b []byte) {
	index := n / 256
	name := fmt.Sprintf("%s/%03d", folder, index)
	if index >= 1000 {
		name = fmt.Sprintf("%s/x%03d/%03d", folder, index/1000, index%1000)
	}
	if index == of/256 {
		name += fmt.Sprintf(".p/%d", of%256)
	}
	f := files[name]
	if f == nil {
		f = &fstest.MapFile{Mode: 0o644}
		files[name] = f
	}
	f.Data = append(f.Data, b...)
}

func top(h []proof.Hash) proof.Hash {
	if len(h) == 1 {
		return h[0]
	}
	return proof.NodeHash(top(h[:len(h)/2]), top(h[len(h)/2:]))
}
