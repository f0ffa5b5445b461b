// Package page shows a review in a browser on the reader's own machine: items, diffs in colours, marks and
// notes that are saved as they are made.
//
// # World
//
// The server listens on a loopback address. That alone protects nothing: other users and programs of the
// machine reach it, and so does every web site the reader visits, through their browser. So:
//
//   - the Host must be exactly one of those told (no name that was rebound to this address);
//   - a token that is shown once, used once, buys a session: a cookie that no script can read, for this
//     site alone (SameSite=Strict), and for one unguessable path alone, since cookies are shared between
//     the ports of a host and another local server must not get it;
//   - requests of other origins are refused (http.CrossOriginProtection), and no GET changes anything;
//   - what strangers wrote is shown through review.Visible and html/template, under a content security
//     policy that allows one script file, one style sheet, and nothing else.
//
// The worst a program of the same user can do is what it can do anyway: write into the reader's files.
package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign-project/countersign/release/review"
)

//go:embed files
var files embed.FS

// Review is what is shown.
type Review struct {
	Title   string // "stable 1.4.0"
	Base    string // what the change is counted from, in words
	Event   string // for the command that finishes
	Notes   string // release notes
	Changes *review.Changes
	Journal *review.Journal
	Reader  *review.Reader
	Now     func() time.Time
}

// Server is the page. It may be used by many requests at a time.
type Server struct {
	r         Review
	hosts     []string
	templates *template.Template
	secret    string // the path below which everything is
	session   [32]byte

	mu    sync.Mutex
	token *[32]byte  // hash of the token; nil when it was used
	read  sync.Mutex // guards r.Reader
}

const sessionCookie = "review"

// New returns the page for requests to exactly these hosts ("127.0.0.1:4711"), and the token to log in
// with, once.
func New(r Review, hosts []string) (s *Server, token string, err error) {
	s = &Server{r: r, hosts: hosts, secret: "/" + rand.Text() + "/"}
	if s.templates, err = template.New("").Funcs(template.FuncMap{"dict": dict}).ParseFS(files, "files/*.html"); err != nil {
		return nil, "", err
	}
	token = rand.Text()
	sum := sha256.Sum256([]byte(token))
	s.token = &sum
	return s, token, nil
}

// Handler serves the page.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.login)
	mux.HandleFunc("POST /login", s.enter)
	mux.HandleFunc("GET /style.css", s.file("files/style.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /script.js", s.file("files/script.js", "text/javascript; charset=utf-8"))
	mux.Handle("GET "+s.secret+"{$}", s.inside(s.list))
	mux.Handle("GET "+s.secret+"item/{item}/{page}", s.inside(s.item))
	mux.Handle("POST "+s.secret+"item/{item}/{page}", s.inside(s.mark))
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard checks the host and sets what every answer carries.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(s.hosts, q.Host) {
			http.Error(w, "this server is not for that host", http.StatusMisdirectedRequest)
			return
		}
		q.Body = http.MaxBytesReader(w, q.Body, 64<<10)
		next.ServeHTTP(w, q)
	})
}

// inside lets in who has the session.
func (s *Server) inside(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c, err := q.Cookie(sessionCookie)
		if err != nil || !s.isSession(c.Value) {
			http.Error(w, "not logged in: use the link that the program printed", http.StatusUnauthorized)
			return
		}
		next(w, q)
	})
}

func (s *Server) isSession(value string) bool {
	sum := sha256.Sum256([]byte(value))
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token == nil && subtle.ConstantTimeCompare(sum[:], s.session[:]) == 1
}

// login is the only page without a session: it takes the token out of the fragment, which no server and
// no log ever sees, or lets it be typed.
func (s *Server) login(w http.ResponseWriter, _ *http.Request) { s.render(w, "login.html", nil) }

// enter exchanges the token for a session, once.
func (s *Server) enter(w http.ResponseWriter, q *http.Request) {
	sum := sha256.Sum256([]byte(strings.TrimSpace(q.PostFormValue("token"))))
	s.mu.Lock()
	ok := s.token != nil && subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
	value := rand.Text()
	if ok {
		s.token, s.session = nil, sha256.Sum256([]byte(value))
	}
	s.mu.Unlock()
	if !ok {
		http.Error(w, "wrong token, or used already: start the program again for a new link", http.StatusUnauthorized)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: s.secret, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, q, s.secret, http.StatusSeeOther)
}

func (s *Server) file(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := files.ReadFile(name)
		if err != nil {
			panic("internal error: " + err.Error())
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(b) // the browser went away
	}
}

func (s *Server) render(w http.ResponseWriter, name string, data any) {
	var b strings.Builder
	if err := s.templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "internal error: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(b.String())) // the browser went away
}

// dict gives a template several things under names.
func dict(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1] // names are literals in our own templates
	}
	return out
}
