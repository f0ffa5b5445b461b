package main

import (
	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/web/page"
)

// pageLibraries lists what the page has of others, file by file.
func pageLibraries() ([]updatecmd.Library, error) {
	list, err := page.Libraries()
	var out []updatecmd.Library
	for _, l := range list {
		for _, f := range l.Files {
			out = append(out, updatecmd.Library{Name: l.Name, Version: l.Version, License: l.License, Source: l.Source, File: f.Path, Hash: f.SHA256, Changed: f.Changed})
		}
	}
	return out, err
}
