package page

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
)

// Library is somebody else's work in the page, committed as it was published: each file with the SHA-256 of its bytes here, and what was changed in it, if
// anything was.
type Library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	License string `json:"license"` // SPDX
	Source  string `json:"source"`  // where it was taken from
	Files   []File `json:"files"`
}

// File is one of a library's, below files/.
type File struct {
	Path    string `json:"path"`
	SHA256  string `json:"sha256"`            // hexadecimal
	Changed string `json:"changed,omitempty"` // what we changed in it, in words
}

//go:embed vendor.json
var vendored []byte

// Libraries lists them, from vendor.json. A test compares it with the files, both ways.
func Libraries() ([]Library, error) {
	var list []Library
	d := json.NewDecoder(bytes.NewReader(vendored))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("vendor.json: %w", err)
	}
	return list, nil
}

// Vendor is the folder, below files/, of all that is not ours.
const Vendor = "vendor"
