package evidence

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

const fileFormat = "countersign-evidence-1"

// file is evidence/<sha256 of release.json, hex>.json. Nothing in it is signed but the statements
// themselves, each a sigstore bundle.
type file struct {
	Format     string            `json:"format"` // "countersign-evidence-1"
	Statements []json.RawMessage `json:"statements"`
}

// Path is where a repository keeps the statements about the release whose release.json has this sum.
func Path(release [32]byte) string { return fmt.Sprintf("evidence/%x.json", release) }

// Format prints an evidence file: compact JSON and a newline, the statements sorted and each only once, so
// that the same statements always make the same file.
func Format(statements [][]byte) ([]byte, error) {
	f := file{Format: fileFormat, Statements: []json.RawMessage{}}
	for _, s := range statements {
		var b bytes.Buffer
		if err := json.Compact(&b, s); err != nil {
			return nil, fmt.Errorf("statement: %v", err)
		}
		f.Statements = append(f.Statements, b.Bytes())
	}
	sort.Slice(f.Statements, func(i, j int) bool { return bytes.Compare(f.Statements[i], f.Statements[j]) < 0 })
	once := f.Statements[:0]
	for i, s := range f.Statements {
		if i == 0 || !bytes.Equal(s, f.Statements[i-1]) {
			once = append(once, s)
		}
	}
	f.Statements = once
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the statements as they are
	if err := enc.Encode(f); err != nil {
		return nil, err
	}
	_, err := Parse(b.Bytes())
	return b.Bytes(), err
}

// Parse reads an evidence file and returns its statements, none of them believed or even opened.
func Parse(b []byte) ([][]byte, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("evidence: %d bytes, at most %d allowed", len(b), MaxFile)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("evidence: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("evidence: something follows the JSON object")
	}
	if f.Format != fileFormat {
		return nil, fmt.Errorf("evidence: format %q, want %q", f.Format, fileFormat)
	}
	if len(f.Statements) > MaxStatements {
		return nil, fmt.Errorf("evidence: %d statements, at most %d allowed", len(f.Statements), MaxStatements)
	}
	list := make([][]byte, 0, len(f.Statements))
	for _, s := range f.Statements {
		list = append(list, s)
	}
	return list, nil
}
