package web

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// kinds are the types of our own files. A file of another ending is not served.
func kinds() map[string]string {
	return map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".json": "application/json", ".webmanifest": "application/manifest+json",
		".txt": "text/plain; charset=utf-8", "": "text/plain; charset=utf-8"} // "": the licences of libraries
}

// static serves the files compiled into the program.
func (p *Page) static(w http.ResponseWriter, q *http.Request) {
	name := strings.TrimPrefix(q.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	kind, ok := kinds()[path.Ext(name)]
	if !ok || !fs.ValidPath(name) {
		http.NotFound(w, q)
		return
	}
	b, err := fs.ReadFile(p.Files, name)
	if err != nil {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b) // the browser went away
}
