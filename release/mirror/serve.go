package mirror

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/tiles"
)

// served is every path that is answered: the folders of a repository and of its pages, plain names that do
// not begin with a dot. Of the log the files that a log has are answered. All else, our own directory
// included, does not exist.
var served = regexp.MustCompile(`^/(metadata|targets|evidence|site)(/[A-Za-z0-9_][A-Za-z0-9._+~-]*){1,5}$`)

// logFile returns the name of a file of the public log as the log's own directory has it.
func logFile(name string) (string, bool) {
	file, ok := strings.CutPrefix(name, logDir+"/")
	return file, ok && tiles.IsPath(file)
}

// hashed is a name that begins with the sum of what it names.
var hashed = regexp.MustCompile(`^([0-9a-f]{64})\.`)

// Handler serves a mirror's directory: GET and HEAD, ranges, caching headers, no listings, nothing hidden.
// It keeps no file open between requests and reads whatever a sync has put there last; a file being
// replaced is seen old or new. It believes nothing and needs no trust: users verify what they get.
func Handler(dir string) http.Handler { return handler{dir} }

type handler struct{ dir string }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "want GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	_, ofLog := logFile(name)
	known := r.URL.Path == "/site/" || served.MatchString(r.URL.Path) || ofLog && r.URL.Path == "/"+name
	if !known || strings.Contains(r.URL.Path, "..") {
		missing(w)
		return
	}
	if name == "site/" {
		name += "index.html"
	}
	// A root of its own, so that a link in the directory can not lead out of it.
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		missing(w)
		return
	}
	defer root.Close()
	// Looked at before it is opened: opening a pipe would hang.
	if info, err := root.Stat(filepath.FromSlash(name)); err != nil || !info.Mode().IsRegular() {
		missing(w)
		return
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		missing(w)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		missing(w)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", caching(name))
	header.Set("Content-Type", contentType(name))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	if m := hashed.FindStringSubmatch(filepath.Base(name)); m != nil && strings.HasPrefix(name, "targets/") {
		header.Set("ETag", `"`+m[1]+`"`)
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// missing says 404 in a way no cache keeps: the next root, and the next release, will be there one day.
func missing(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "not found", http.StatusNotFound)
}

// caching lets caches keep for ever what is named by version or sum, and whole tiles of the log. The
// timestamp, the log's head and statements change under their names; an old timestamp looks like an attack to
// those who saw a newer one, so caches have to ask each time, which costs them one answer without a body.
func caching(name string) string {
	file, ofLog := logFile(name)
	if strings.HasPrefix(name, "targets/") || ofLog && tiles.ForEver(file) || versioned.MatchString(name) {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache"
}

// contentType is that of a page only in the pages' own folder: nothing that was uploaded as a target is one.
func contentType(name string) string {
	switch {
	case strings.HasSuffix(name, ".json"):
		return "application/json"
	case strings.HasPrefix(name, "site/") && strings.HasSuffix(name, ".html"):
		return "text/html; charset=utf-8"
	case strings.HasPrefix(name, "site/") && strings.HasSuffix(name, ".css"):
		return "text/css; charset=utf-8"
	case name == logDir+"/"+tiles.Checkpoint: // C2SP tlog-tiles
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// graceful is how long answers under way may take to finish when serving ends.
const graceful = 5 * time.Second

// Serve answers on ln until ctx ends, then lets answers under way finish for a moment. Slow readers are
// left alone (a release may take hours over a bad line); slow askers are not.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
		defer cancel()
		if srv.Shutdown(end) != nil {
			srv.Close()
		}
	})
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	<-closed // srv.Serve returns when the end begins
	return nil
}
