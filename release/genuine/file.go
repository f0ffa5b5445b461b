package genuine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
)

// MaxFile is the largest evidence file that is read, in bytes; MaxStatements is how many statements it may
// hold. A statement of an auditor about four platforms is about 10 kB.
const (
	MaxFile       = 4 << 20
	MaxStatements = 256
)

const fileFormat = "countersign-evidence-2"

// File is what a repository keeps about a release in evidence/<sha256 of release.json>.json: what people
// state about it, and the proof that this is in the public log. The withdrawals of all releases,
// metadata/<version>.withdrawn.json, are kept in the same form. Nothing in it is signed but the parts
// themselves.
type File struct {
	Statements [][]byte // sigstore bundles
	Proof      []byte   // text of attest/proof, or empty
}

// fileWire is the JSON of a File.
type fileWire struct {
	Format     string            `json:"format"` // "countersign-evidence-2"
	Statements []json.RawMessage `json:"statements"`
	Proof      string            `json:"proof"`
}

// Encode prints the file: compact JSON and a newline, the statements sorted and each only once, so that the
// same evidence always makes the same file.
func (f File) Encode() ([]byte, error) {
	w := fileWire{Format: fileFormat, Statements: []json.RawMessage{}, Proof: string(f.Proof)}
	for _, s := range f.Statements {
		var b bytes.Buffer
		if err := json.Compact(&b, s); err != nil {
			return nil, fmt.Errorf("statement: %v", err)
		}
		w.Statements = append(w.Statements, b.Bytes())
	}
	sort.Slice(w.Statements, func(i, j int) bool { return bytes.Compare(w.Statements[i], w.Statements[j]) < 0 })
	once := w.Statements[:0]
	for i, s := range w.Statements {
		if i == 0 || !bytes.Equal(s, w.Statements[i-1]) {
			once = append(once, s)
		}
	}
	w.Statements = once
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the statements as they are
	if err := enc.Encode(w); err != nil {
		return nil, err
	}
	_, err := ParseFile(b.Bytes())
	return b.Bytes(), err
}

// ParseFile reads an evidence file. Nothing in it is believed or even opened.
func ParseFile(b []byte) (File, error) {
	if len(b) > MaxFile {
		return File{}, fmt.Errorf("evidence: %d bytes, at most %d allowed", len(b), MaxFile)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w fileWire
	if err := dec.Decode(&w); err != nil {
		return File{}, fmt.Errorf("evidence: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return File{}, fmt.Errorf("evidence: something follows the JSON object")
	}
	if w.Format != fileFormat {
		return File{}, fmt.Errorf("evidence: format %q, want %q", w.Format, fileFormat)
	}
	if len(w.Statements) > MaxStatements {
		return File{}, fmt.Errorf("evidence: %d statements, at most %d allowed", len(w.Statements), MaxStatements)
	}
	f := File{Statements: make([][]byte, 0, len(w.Statements))}
	for _, s := range w.Statements {
		f.Statements = append(f.Statements, s)
	}
	if w.Proof != "" {
		f.Proof = []byte(w.Proof)
	}
	return f, nil
}
