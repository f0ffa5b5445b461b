package publish

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
	"github.com/countersign-project/countersign/release/event"
)

// Bounds on what a stranger can make the room hold open or work on.
const (
	maxChecks     = 4                // answers being verified at one time
	headerTimeout = 10 * time.Second // to send a request's header
	bodyTimeout   = time.Minute      // to send a whole request: answers are small
	writeTimeout  = 2 * time.Hour    // to take a whole reply: a program over a thin line
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	graceful      = 10 * time.Second // to finish replies on shutdown
)

// Server is a room on the network: it takes answers, publishes by itself what is ready, keeps timestamp
// and snapshot fresh, and serves the repository to mirrors.
type Server struct {
	Room   *Room
	Now    func() time.Time
	Tick   <-chan time.Time    // when to look again though nobody said anything
	Report func(Report, error) // told after every step; may be nil
	wake   chan struct{}       // an answer came in
}

// Handler serves /events/ and /repository/. accepted is called after an answer was stored; it may be nil.
func (r *Room) Handler(accepted func(event.ID)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/events/", &event.Handler{Store: r.Events, Accepted: accepted, Busy: make(chan struct{}, maxChecks)})
	mux.Handle("/repository/", http.StripPrefix("/repository/", files{r.Repository.Dir}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("Countersign signing room\n\n/events/      proposed releases and their answers\n/repository/  what mirrors copy\n"))
	})
	return mux
}

// Run serves on ln until ctx ends, then lets replies finish. An error of one step is reported and does
// not stop the room: a full disk may have room again later.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	s.wake = make(chan struct{}, 1)
	srv := &http.Server{
		Handler:           s.Room.Handler(func(event.ID) { s.poke() }),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	s.step(ctx)
	for {
		select {
		case <-s.wake:
			s.step(ctx)
		case <-s.Tick:
			s.step(ctx)
		case err := <-done:
			return err
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
			defer cancel()
			err := srv.Shutdown(end)
			if errors.Is(err, context.DeadlineExceeded) {
				return srv.Close() // somebody reads too slowly; everything stored is stored
			}
			return err
		}
	}
}

// poke asks for a step; one that is asked for already covers this answer too.
func (s *Server) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Server) step(ctx context.Context) {
	report, err := s.Room.Step(ctx, s.Now())
	if s.Report != nil && ctx.Err() == nil {
		s.Report(report, err)
	}
}

// files serves the repository: plain files by their names, no listings, nothing hidden.
type files struct{ dir string }

var served = regexp.MustCompile(`^(metadata|targets|evidence|site)(/[A-Za-z0-9_][A-Za-z0-9._+-]*){1,5}$`)

// logFile returns the name of a file of the public log as the log's own directory has it.
func logFile(name string) (string, bool) {
	file, ok := strings.CutPrefix(name, "log/")
	return file, ok && tiles.IsPath(file)
}

func (f files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "want GET", http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path
	if name == "site/" {
		name += "index.html"
	}
	if _, ok := logFile(name); !ok && !served.MatchString(name) {
		http.NotFound(w, r)
		return
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer root.Close()
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", caching(name))
	w.Header().Set("Content-Type", contentType(name))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// caching lets caches keep for ever what is named by version or hash, or is a whole tile of the log, and
// nothing else: a stale timestamp or head of the log looks like an attack to those who saw a newer one.
func caching(name string) string {
	if file, ok := logFile(name); ok && !tiles.ForEver(file) {
		return "no-cache"
	}
	if name == "metadata/timestamp.json" || strings.HasPrefix(name, "evidence/") || strings.HasPrefix(name, "site/") {
		return "no-cache"
	}
	return "public, max-age=31536000, immutable"
}

// contentType is that of a page only in the pages' own folder: nothing that was uploaded as a target is one.
func contentType(name string) string {
	switch {
	case strings.HasPrefix(name, "site/") && strings.HasSuffix(name, ".html"):
		return "text/html; charset=utf-8"
	case strings.HasPrefix(name, "site/") && strings.HasSuffix(name, ".css"):
		return "text/css; charset=utf-8"
	case name == "log/"+tiles.Checkpoint: // C2SP tlog-tiles
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
