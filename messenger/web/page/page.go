// Package page holds the files of the local page: they are part of the program, and so of what the auditors sign.
package page

import (
	"embed"
	"io/fs"
)

//go:embed files
var files embed.FS

// Files returns them, index.html at the top.
func Files() fs.FS {
	sub, err := fs.Sub(files, "files")
	if err != nil {
		panic("internal error: " + err.Error()) // the folder is named above
	}
	return sub
}
